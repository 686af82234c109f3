package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

// hostileDigests are digests that must not become a path.
var hostileDigests = map[string]digest.Digest{
	"an empty digest":               "",
	"a digest without an algorithm": "abc",
	"a digest that climbs":          "sha256:../../../../etc/passwd",
	"a digest of dots as long as a real one": digest.Digest(
		"sha256:" + strings.Repeat("../", 21) + "x"),
	"a digest in upper case":   digest.Digest("sha256:" + strings.Repeat("A", 64)),
	"a digest that is short":   digest.Digest("sha256:" + strings.Repeat("a", 63)),
	"a digest with a newline":  digest.Digest("sha256:" + strings.Repeat("a", 64) + "\n"),
	"a digest of sha512":       digest.Digest("sha512:" + strings.Repeat("a", 128)),
	"a digest of md5":          digest.Digest("md5:" + strings.Repeat("a", 32)),
	"a digest that is a path":  "/etc/passwd",
	"a digest with a NUL byte": digest.Digest("sha256:" + strings.Repeat("a", 63) + "\x00"),
}

func TestNoPathComesFromADigest(t *testing.T) {
	t.Parallel()
	for name, hostile := range hostileDigests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			_, errCommit := s.Commit(t.Context(), hostile, strings.NewReader("x"), 10)
			_, errResume := s.Resume(t.Context(), hostile, place, (&remote{content: "x"}).open, 10)
			_, errOpen := s.Open(hostile)
			_, errDerived := s.OpenDerived("index", hostile)
			calls := map[string]error{
				"Commit":      errCommit,
				"Resume":      errResume,
				"Open":        errOpen,
				"OpenDerived": errDerived,
				"Derive":      s.Derive(t.Context(), "index", hostile, func(io.Writer) error { return nil }),
				"Remove":      s.Remove(hostile),
			}
			for call, err := range calls {
				if err == nil || fault.ClassOf(err) != fault.ClassStall ||
					fault.ReasonOf(err, "") != v1alpha1.SourceInvalidReason {
					t.Errorf("%s(%q): want a terminal %s, got %v", call, hostile, v1alpha1.SourceInvalidReason, err)
				}
			}
			if _, ok := s.Has(hostile); ok {
				t.Errorf("Has(%q): want false", hostile)
			}
			wantFiles(t, s)
		})
	}
}

func TestNoPathComesFromAKind(t *testing.T) {
	t.Parallel()
	d := digest.FromString("a")
	kinds := []string{"", ".", "..", "../sha256", "a/b", "/etc", "Index", "a b", "-a", strings.Repeat("a", 64)}
	for _, kind := range kinds {
		t.Run(fmt.Sprintf("kind %q", kind), func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			err := s.Derive(t.Context(), kind, d, func(io.Writer) error { return nil })
			if fault.ReasonOf(err, "") != v1alpha1.InternalErrorReason {
				t.Errorf("Derive: want %s, got %v", v1alpha1.InternalErrorReason, err)
			}
			if _, err := s.OpenDerived(kind, d); fault.ReasonOf(err, "") != v1alpha1.InternalErrorReason {
				t.Errorf("OpenDerived: want %s, got %v", v1alpha1.InternalErrorReason, err)
			}
			wantFiles(t, s)
		})
	}
}

func TestALinkThatLeavesTheDirectoryIsNotFollowed(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	outside := filepath.Join(t.TempDir(), "secret")
	write(t, outside, "secret")
	d := digest.FromString("secret")
	if err := os.Symlink(outside, filepath.Join(s.dir, "sha256", d.Encoded())); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Has(d); ok {
		t.Error("Has: want false for a link")
	}
	if _, err := s.Open(d); fault.ReasonOf(err, "") != v1alpha1.StoreFailedReason {
		t.Errorf("Open: want %s, got %v", v1alpha1.StoreFailedReason, err)
	}
}

func TestOpenTellsWhatIsAbsent(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	d := digest.FromString("absent")
	if _, err := s.Open(d); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), d.String()) {
		t.Errorf("Open: want fs.ErrNotExist that names %s, got %v", d, err)
	}
	if _, err := s.OpenDerived("index", d); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "index") {
		t.Errorf("OpenDerived: want fs.ErrNotExist that names the kind, got %v", err)
	}
	if err := s.Remove(d); err != nil {
		t.Errorf("Remove: want no error for what is absent, got %v", err)
	}
}

func TestRemoveTakesTheBlobAndWhatWasDerivedFromIt(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	gone, kept := commit(t, s, "gone"), commit(t, s, "kept")
	for _, d := range []digest.Digest{gone, kept} {
		derive(t, s, "index", d, "index of "+d.String())
		derive(t, s, "objects", d, "objects of "+d.String())
	}
	reading, err := s.Open(gone)
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()

	if err := s.Remove(gone); err != nil {
		t.Fatal(err)
	}

	wantFiles(t, s, "derived/index/"+kept.Encoded(), "derived/objects/"+kept.Encoded(), "sha256/"+kept.Encoded())
	if got, err := io.ReadAll(reading); err != nil || string(got) != "gone" {
		t.Errorf("a file that was open: want its bytes, got %q, %v", got, err)
	}
	if again := commit(t, s, "gone"); again != gone {
		t.Errorf("Commit after Remove: want %s, got %s", gone, again)
	}
}

func TestOpenReportsADirectoryThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	taken := t.TempDir()
	write(t, filepath.Join(taken, "sha256"), "")
	tests := map[string]struct{ givenDir string }{
		"the directory is a file":               {givenDir: file},
		"the directory is below a file":         {givenDir: filepath.Join(file, "cache")},
		"a folder's name is taken by a file":    {givenDir: taken},
		"the file system cannot be written to":  {givenDir: "/proc/caapb"},
		"the directory's name cannot be a name": {givenDir: filepath.Join(t.TempDir(), strings.Repeat("x", 300))},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Open(tc.givenDir, Options{})
			faulttest.Want(t, err, fault.ClassRetry, v1alpha1.StoreFailedReason, "cache directory "+tc.givenDir)
		})
	}
}

func TestOpenReportsADirectoryThatIsNotWritable(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	_ = open(t, dir).Close()
	if err := os.Chmod(filepath.Join(dir, "tmp"), 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "tmp"), 0o700) })
	_, err := Open(dir, Options{})
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.StoreFailedReason, "permission denied", "let the provider's user write")
}

func TestFilesAreForTheProviderAlone(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "a", "cache"))
	derive(t, s, "index", commit(t, s, "x"), "y")
	err := filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		stat, err := entry.Info()
		if err == nil && stat.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: want no rights for others, got %v", path, stat.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func commit(t *testing.T, s *Store, content string) digest.Digest {
	t.Helper()
	d := digest.FromString(content)
	size, err := s.Commit(t.Context(), d, strings.NewReader(content), int64(len(content)))
	if err != nil || size != int64(len(content)) {
		t.Fatalf("Commit(%q): want %d bytes, got %d, %v", content, len(content), size, err)
	}
	return d
}

func derive(t *testing.T, s *Store, kind string, d digest.Digest, content string) {
	t.Helper()
	err := s.Derive(t.Context(), kind, d, func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	})
	if err != nil {
		t.Fatalf("Derive(%s): %v", kind, err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func wantContent(t *testing.T, f io.ReadCloser, err error, want string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	if err != nil || !bytes.Equal(got, []byte(want)) {
		t.Errorf("want %q, got %q, %v", want, got, err)
	}
}

// wantFiles compares all files of the store with want.
func wantFiles(t *testing.T, s *Store, want ...string) {
	t.Helper()
	var got []string
	err := fs.WalkDir(os.DirFS(s.dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			got = append(got, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files of the store (-want +got):\n%s", diff)
	}
}
