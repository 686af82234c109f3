package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheSyntheticBundleHasItsSizeAndIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	crds, operator := syntheticCRDs(), syntheticOperator()
	if crds != syntheticCRDs() || operator != syntheticOperator() {
		t.Error("it differs")
	}
	if size := len(crds) + len(operator); size < 19_500_000 || size > 20_500_000 {
		t.Errorf("it has %d bytes", size)
	}
}

// Of the large files the beginning says enough.
func TestTheSyntheticBundleIsValidYAML(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"crds": syntheticCRDs(), "operator": syntheticOperator(), "resources": syntheticResources(),
	} {
		documents := strings.Split(strings.TrimPrefix(content, "---\n"), "---\n")
		first := documents[:min(len(documents), 10)]
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(strings.Join(first, "---\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		objects, err := readObjects(file)
		if err != nil || len(objects) != len(first) {
			t.Errorf("%s: %d of %d objects: %v", name, len(objects), len(first), err)
			continue
		}
		if last := objects[len(objects)-1]; !strings.HasPrefix(last.GetName(), map[string]string{
			"crds": "kind09s.synthetic", "operator": "config-04", "resources": "default",
		}[name]) {
			t.Errorf("%s: the last is %s", name, last.Key())
		}
	}
}
