package peer

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// servesVariable makes the test program one that serves orders.
const servesVariable = "PEER_TEST_SERVES"

func TestMain(m *testing.M) {
	if os.Getenv(servesVariable) != "" {
		Main("test", passOfTest)
		return
	}
	os.Exit(m.Run())
}

// passOfTest does what the version of an order says.
func passOfTest(ctx context.Context, order Order) ([]string, error) {
	switch order.Version {
	case "fail":
		return []string{"half of it"}, errors.New("no such file")
	case "wait":
		<-ctx.Done()
		return nil, ctx.Err()
	case "hang":
		select {}
	case "end":
		_, _ = os.Stdout.WriteString("out of memory\n") // as a library might
		os.Exit(2)
	}
	return order.Files, nil
}

func started(t *testing.T) *Process {
	t.Helper()
	t.Setenv(servesVariable, "1")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(program)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

func TestAProcessDoesOneOrderAfterTheOther(t *testing.T) {
	p := started(t)
	for _, file := range []string{"first.yaml", "second.yaml"} {
		notes, err := p.Do(t.Context(), Order{Files: []string{file}, Within: time.Minute})
		if diff := cmp.Diff([]string{file}, notes); diff != "" || err != nil {
			t.Errorf("notes: %v, %s", err, diff)
		}
	}
	if p.PID() == os.Getpid() || p.PID() <= 0 {
		t.Errorf("it has the PID %d", p.PID())
	}
}

func TestAPassThatFailsIsReportedAndTheNextIsDone(t *testing.T) {
	p := started(t)
	notes, err := p.Do(t.Context(), Order{Version: "fail", Within: time.Minute})
	if err == nil || err.Error() != "no such file" || !cmp.Equal(notes, []string{"half of it"}) {
		t.Errorf("got %v, %v", notes, err)
	}
	if _, err := p.Do(t.Context(), Order{Within: time.Minute}); err != nil {
		t.Error(err)
	}
}

func TestAPassEndsInTime(t *testing.T) {
	_, err := started(t).Do(t.Context(), Order{Version: "wait", Within: time.Millisecond})
	if err == nil || err.Error() != context.DeadlineExceeded.Error() {
		t.Errorf("got %v", err)
	}
}

func TestAProcessThatDoesNotReportIsKilled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := started(t).Do(ctx, Order{Version: "hang", Within: time.Minute})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestAProcessThatEndsIsShownWithItsOutput(t *testing.T) {
	_, err := started(t).Do(t.Context(), Order{Version: "end", Within: time.Minute})
	if err == nil || !strings.Contains(err.Error(), "out of memory") {
		t.Errorf("got %v", err)
	}
}

func TestAnOrderThatIsNoneEndsTheProgram(t *testing.T) {
	err := Serve(t.Context(), strings.NewReader("apply\n"), &strings.Builder{}, passOfTest)
	if err == nil || !strings.HasPrefix(err.Error(), "order: ") {
		t.Errorf("got %v", err)
	}
}

func TestAProgramThatDoesNotBuildIsNamed(t *testing.T) {
	_, err := Build(t.Context(), "example.com/nothing", t.TempDir())
	if err == nil || !strings.HasPrefix(err.Error(), "example.com/nothing does not build: ") {
		t.Errorf("got %v", err)
	}
}

func TestOfALongOutputTheEndIsKept(t *testing.T) {
	var l lastBytes
	for range 3 * errorTail {
		_, _ = l.Write([]byte("x"))
	}
	_, _ = l.Write([]byte("end"))
	if len(l.kept) != errorTail || !strings.HasSuffix(string(l.kept), "xend") {
		t.Errorf("%d bytes are kept", len(l.kept))
	}
}
