package store

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestOpenSweepsWhatAKilledProcessLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, dir)
	d := commit(t, first, "kept")
	derive(t, first, "index", d, "kept too")
	write(t, filepath.Join(dir, "tmp", "orphan"), "half of a bundle")

	second := open(t, dir)

	wantFiles(t, second, "sha256/"+d.Encoded(), "derived/index/"+d.Encoded())
}

func TestOpenSparesAFileThatAProcessStillWrites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, dir)
	content := "written across a sweep"
	r := io.MultiReader(strings.NewReader(content[:7]), readerFunc(func([]byte) (int, error) {
		_ = open(t, dir).Close() // another process starts meanwhile
		return 0, io.EOF
	}), strings.NewReader(content[7:]))

	d := digest.FromString(content)
	if _, err := first.Commit(t.Context(), d, r, 100); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	wantFiles(t, first, "sha256/"+d.Encoded())
}

func TestCreateTempLocksItsFile(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	f, name, err := createTemp(s.root)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.root.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := lock(again); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Errorf("want the lock to be held, got %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := lock(again); err != nil {
		t.Errorf("want the lock to end with the file, got %v", err)
	}
}

func TestStandsNoticesAFileThatWasSwept(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	f, err := s.root.OpenFile("tmp/x", os.O_CREATE|os.O_WRONLY, fileMode)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !sameFile(s.root, "tmp/x", f) {
		t.Error("want true for a file under its name")
	}
	if err := sweep(s.root); err != nil {
		t.Fatal(err)
	}
	if sameFile(s.root, "tmp/x", f) {
		t.Error("want false for a file that is gone")
	}
	write(t, filepath.Join(s.dir, "tmp", "x"), "another")
	if sameFile(s.root, "tmp/x", f) {
		t.Error("want false when the name leads to another file")
	}
}

func TestSweepLeavesWhatIsNotAFile(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	if err := os.Mkdir(filepath.Join(s.dir, "tmp", "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := sweep(s.root); err != nil {
		t.Errorf("sweep: %v", err)
	}
	if _, err := s.root.Stat("tmp/folder"); err != nil {
		t.Errorf("want the folder to stay, got %v", err)
	}
}

func TestAFileThatIsBeingCreatedSurvivesASweep(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for range 500 {
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := sweep(s.root); err != nil {
				t.Errorf("sweep: %v", err)
			}
		})
		f, name, err := createTemp(s.root)
		wg.Wait()
		if err != nil {
			t.Fatalf("createTemp: %v", err)
		}
		if _, err := s.root.Lstat(name); err != nil {
			t.Errorf("want the file under its name, got %v", err)
		}
		_ = s.root.Remove(name)
		_ = f.Close()
	}
}

func TestScratchKeepsBytesWithoutAName(t *testing.T) {
	t.Parallel()
	s := openWith(t, t.TempDir(), Options{MaxBytes: 7})
	f, err := s.Scratch()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, "scratch"); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, s)
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	wantContent(t, f, nil, "scratch")
	if _, err := f.Write(nil); err == nil || !strings.Contains(err.Error(), "scratch file in "+s.dir) {
		t.Errorf("want errors that name the file in words, got %v", err)
	}
}

func TestScratchReportsADiskThatFails(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	if err := os.Remove(filepath.Join(s.dir, "tmp")); err != nil {
		t.Fatal(err)
	}
	_, err := s.Scratch()
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.StoreFailedReason, "cache directory "+s.dir, "create a scratch file")
}
