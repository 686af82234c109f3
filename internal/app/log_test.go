package app

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
)

func TestTheLogIsBounded(t *testing.T) {
	t.Parallel()
	var lines []string
	log := BoundedLog(funcr.New(func(prefix, args string) { lines = append(lines, prefix+args) }, funcr.Options{LogCaller: funcr.All}))
	long := strings.Repeat("long\n", 1<<20)
	log.Error(errors.New(long), "failed")
	log.Info(long)
	log.Info("a value", "value", long, "error", errors.New(long))
	log.WithValues("value", long).WithName("named").Info("a value of all")
	log.V(0).WithCallDepth(0).Error(nil, long)
	if len(lines) != 5 {
		t.Fatalf("want each logged, got %d", len(lines))
	}
	for _, line := range lines {
		if len(line) > 3*maxLogged || !strings.Contains(line, "log_test.go") {
			t.Errorf("want a short line with its caller, got %d bytes: %.200s", len(line), line)
		}
	}
	lines = nil
	log.Error(errors.New("why\nand how"), "failed", "key", 7, "text", "one\ntwo")
	if len(lines) != 1 || !strings.Contains(lines[0], `"error"="why\nand how" "key"=7 "text"="one\ntwo"`) {
		t.Errorf("want what is short as it is, got %v", lines)
	}
}
