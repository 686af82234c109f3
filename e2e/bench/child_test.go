package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// startFake makes a child ready for a release of that version, which writes to the file.
func startFake(t *testing.T, version string) (run Run, file string, err error) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "written")
	way := &childWay{name: fakeName}
	session, err := way.Attach(t.Context(), &Target{Kubeconfig: file})
	if err != nil {
		t.Fatal(err)
	}
	run, err = session.Ready(t.Context(), Step{Kind: Upgrade, Release: &Release{Version: version}})
	return run, file, err
}

func TestAChildDoesNothingBeforeTheClockStarts(t *testing.T) {
	t.Parallel()
	run, file, err := startFake(t, "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("it has begun")
	}
	used, err := run(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != string(Upgrade) {
		t.Errorf("it did %q: %v", got, err)
	}
	if used.PeakMemory <= 0 || used.CPU < 0 {
		t.Errorf("it used %+v", used)
	}
}

func TestWhatAChildSaysIsInTheError(t *testing.T) {
	t.Parallel()
	if _, _, err := startFake(t, "unreadable"); err == nil || !strings.Contains(err.Error(), "cannot read it") {
		t.Errorf("making ready: %v", err)
	}
	run, _, err := startFake(t, "refused")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "the server says no") {
		t.Errorf("running: %v", err)
	}
}
