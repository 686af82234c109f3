package configuration

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// watched is a file, and what was taken of it and reported about it.
type watched struct {
	*File

	t        *testing.T
	taken    []int
	problems []string
	// unreported is why nothing can be reported.
	unreported error
}

func watch(t *testing.T, content string) *watched {
	t.Helper()
	w := &watched{t: t}
	path := filepath.Join(t.TempDir(), "config.yaml")
	if content != "" {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if w.File, err = Open(path); err != nil {
		t.Fatal(err)
	}
	w.Apply = func(s Settings) { w.taken = append(w.taken, s.Objects) }
	w.Report = func(_ context.Context, problem error) error {
		if w.unreported != nil {
			return w.unreported
		}
		text := ""
		if problem != nil {
			text = problem.Error()
		}
		w.problems = append(w.problems, text)
		return nil
	}
	return w
}

// write writes the file, and has it looked at until it is settled.
func (w *watched) write(content string) {
	w.t.Helper()
	if err := os.WriteFile(w.Path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.lookTwice()
}

func (w *watched) lookTwice() {
	w.look(w.t.Context())
	w.look(w.t.Context())
}

// want fails unless the last report was this, and these were taken since the last call.
func (w *watched) want(reports int, problem string, taken ...int) {
	w.t.Helper()
	if len(w.problems) != reports || (problem == "") != (w.problems[len(w.problems)-1] == "") ||
		!strings.Contains(w.problems[len(w.problems)-1], problem) {
		w.t.Errorf("want report %d to be %q, got %q", reports, problem, w.problems)
	}
	if len(w.taken) != len(taken) || len(taken) > 0 && w.taken[0] != taken[0] {
		w.t.Errorf("want %v taken, got %v", taken, w.taken)
	}
	w.taken = nil
}

const one, two = header + "limits: {objects: 1}\n", header + "limits: {objects: 2}\n"

func TestAFileIsTakenWhenItChanges(t *testing.T) {
	t.Parallel()
	w := watch(t, one)
	if got := w.Settings().Objects; got != 1 {
		t.Errorf("want it taken at the start, got %d", got)
	}
	w.lookTwice()
	w.want(1, "")
	w.write(two)
	w.want(2, "", 2)
	w.write(two)
	w.want(2, "")
}

func TestAWrongFileChangesNothing(t *testing.T) {
	t.Parallel()
	w := watch(t, one)
	w.write(header + "limits: {objects: 0}\n")
	w.want(2, "limits.objects: 0 is not 1 to")
	w.lookTwice()
	w.want(2, "limits.objects: 0 is not 1 to")
	w.write(header + "limits: {object: 7}\n")
	w.want(3, `unknown field "limits.object"`)
	w.write(one)
	w.want(4, "")
	w.write(header + "limits: {object: 7}\n")
	w.want(5, `unknown field "limits.object"`)
	w.write(two)
	w.want(6, "", 2)
}

func TestAFileThatIsGoneChangesNothing(t *testing.T) {
	t.Parallel()
	w := watch(t, one)
	w.lookTwice()
	if err := os.Remove(w.Path); err != nil {
		t.Fatal(err)
	}
	w.lookTwice()
	w.want(2, "the file is gone")
	w.write("")
	w.want(3, "the file is empty")
	w.write(two)
	w.want(4, "", 2)
}

func TestAFileMayComeLater(t *testing.T) {
	t.Parallel()
	w := watch(t, "")
	if got := w.Settings().Objects; got != Defaults().Objects {
		t.Errorf("want the defaults, got %d", got)
	}
	w.lookTwice()
	w.want(1, "")
	w.write(two)
	w.want(2, "", 2)
}

// TestAFileThatIsBeingWrittenIsNotTaken cuts a file off between two lines.
func TestAFileThatIsBeingWrittenIsNotTaken(t *testing.T) {
	t.Parallel()
	w := watch(t, one)
	w.lookTwice()
	for _, content := range []string{header, two} {
		if err := os.WriteFile(w.Path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		w.look(t.Context())
	}
	w.want(1, "")
	w.look(t.Context())
	w.want(2, "", 2)
}

func TestAFileThatCannotBeReadIsReported(t *testing.T) {
	t.Parallel()
	w := watch(t, one)
	if err := errors.Join(os.Remove(w.Path), os.Mkdir(w.Path, 0o700)); err != nil {
		t.Fatal(err)
	}
	w.lookTwice()
	w.want(1, "is a directory")
	if err := os.Remove(w.Path); err != nil {
		t.Fatal(err)
	}
	w.write(one)
	w.want(2, "")
}

func TestAReportThatFailedIsMadeAgainLater(t *testing.T) {
	t.Parallel()
	w := watch(t, one)
	w.unreported = errors.New("forbidden")
	w.look(t.Context())
	w.unreported = nil
	w.look(t.Context())
	if len(w.problems) > 0 {
		t.Errorf("want a pause, got %q", w.problems)
	}
	for range reportPause {
		w.look(t.Context())
	}
	w.want(1, "")
}

func TestAWrongFileAtTheStartEndsTheManager(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(header+"limits: {objects: 0}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "limits.objects") || !strings.Contains(err.Error(), path) {
		t.Errorf("want an error that says what is wrong and where, got %v", err)
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("want a directory to be refused")
	}
}

func TestWithoutAFileTheDefaultsHold(t *testing.T) {
	t.Parallel()
	f, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	wantSettings(t, Defaults(), f.Settings())
	if err := f.Start(t.Context()); err != nil || f.NeedLeaderElection() {
		t.Errorf("want nothing looked at, got %v", err)
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := watch(t, one)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Start(ctx); err != nil {
		t.Error(err)
	}
	w.want(1, "")
}
