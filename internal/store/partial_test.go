package store

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestPartialDownloadsAreSweptAfterADay(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		givenAge    time.Duration // of the bytes
		givenTagAge time.Duration
		givenPart   bool
		givenHeld   bool
		want        []string
	}{
		"a day old":                  {givenPart: true, givenAge: 24 * time.Hour, want: []string{partFile, tagFile}},
		"older":                      {givenPart: true, givenAge: 24*time.Hour + time.Second, givenTagAge: 25 * time.Hour},
		"a long one that still goes": {givenPart: true, givenTagAge: 25 * time.Hour, want: []string{partFile, tagFile}},
		"one that somebody holds": {
			givenPart: true, givenAge: 25 * time.Hour, givenTagAge: 25 * time.Hour, givenHeld: true,
			want: []string{partFile, tagFile},
		},
		"a validator without bytes": {givenTagAge: 25 * time.Hour},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := interrupted(t)
			age(t, filepath.Join(dir, partFile), now.Add(-tc.givenAge))
			age(t, filepath.Join(dir, tagFile), now.Add(-tc.givenTagAge))
			if !tc.givenPart {
				_ = os.Remove(filepath.Join(dir, partFile))
			}
			if tc.givenHeld {
				f, err := os.Open(filepath.Join(dir, partFile))
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				if err := lock(f); err != nil {
					t.Fatal(err)
				}
			}
			s := openWith(t, dir, Options{Now: func() time.Time { return now }})
			wantFiles(t, s, tc.want...)
		})
	}
}

func TestResumeSweepsToo(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := openWith(t, interrupted(t), Options{Now: clock.now})
	clock.set(time.Now().Add(25 * time.Hour))
	from := &remote{content: "another"}
	if _, err := s.Resume(t.Context(), digestOf("another"), place, from.open, 100); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, s, "sha256/"+digestOf("another").Encoded())
}

func TestSweepLeavesAFolderAmongPartialDownloads(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	if err := os.Mkdir(filepath.Join(s.dir, partialDir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	if err := s.sweepPartials(); err != nil {
		t.Errorf("sweep: %v", err)
	}
	if _, err := s.root.Stat("partial/folder"); err != nil {
		t.Errorf("want the folder to stay, got %v", err)
	}
}

func TestOnlyOneHoldsAPartialDownload(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	var wg sync.WaitGroup
	var held atomic.Int32
	for range 4 {
		wg.Go(func() {
			for range 500 {
				p, err := s.lockPartial(wholeDigest)
				if errors.Is(err, errLocked) {
					continue
				}
				if err != nil {
					t.Errorf("lockPartial: %v", err)
					return
				}
				if held.Add(1) > 1 {
					t.Error("want one at a time")
				}
				if _, err := s.root.Lstat(partFile); err != nil {
					t.Errorf("want the file under its name, got %v", err)
				}
				held.Add(-1)
				p.close(false)
			}
		})
	}
	wg.Wait()
	wantFiles(t, s)
}

func TestADownloadThatIsPlacedLeavesTheNextOneAlone(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	p, err := s.lockPartial(wholeDigest)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.root.Rename(partFile, blobFile); err != nil {
		t.Fatal(err)
	}
	p.published = true
	write(t, filepath.Join(s.dir, partFile), "of somebody else, after an eviction")
	p.close(false)
	wantFiles(t, s, partFile, blobFile)
}

func age(t *testing.T, path string, at time.Time) {
	t.Helper()
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}
