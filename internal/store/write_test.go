package store

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

var errTorn = errors.New("torn")

func TestCommitStoresWhatMatchesItsDigest(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("0123456789abcdef", bufferSize/8) + "rest"
	tests := map[string]struct {
		givenContent string
		givenReader  func(string) io.Reader
	}{
		"a short blob":              {givenContent: "kind: Namespace\n"},
		"an empty blob":             {givenContent: ""},
		"a blob of several buffers": {givenContent: large},
		"a reader of single bytes": {
			givenContent: "slow",
			givenReader:  func(s string) io.Reader { return iotest.OneByteReader(strings.NewReader(s)) },
		},
		"a reader that returns its last bytes together with the end": {
			givenContent: large,
			givenReader:  func(s string) io.Reader { return iotest.DataErrReader(strings.NewReader(s)) },
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			d := digest.FromString(tc.givenContent)
			var r io.Reader = strings.NewReader(tc.givenContent)
			if tc.givenReader != nil {
				r = tc.givenReader(tc.givenContent)
			}
			size, err := s.Commit(t.Context(), d, r, int64(len(tc.givenContent)))
			if err != nil || size != int64(len(tc.givenContent)) {
				t.Fatalf("want %d bytes, got %d, %v", len(tc.givenContent), size, err)
			}
			if size, ok := s.Has(d); !ok || size != int64(len(tc.givenContent)) {
				t.Errorf("Has: want %d bytes, got %d, %t", len(tc.givenContent), size, ok)
			}
			f, err := s.Open(d)
			wantContent(t, f, err, tc.givenContent)
			wantFiles(t, s, "sha256/"+d.Encoded())
		})
	}
}

func TestCommitLeavesNothingWhenItDoesNotComeToAnEnd(t *testing.T) {
	t.Parallel()
	want := digest.FromString("right")
	tests := map[string]struct {
		givenReader io.Reader
		givenLimit  int64
		wantClass   fault.Class
		wantReason  string
		wantErr     error
		wantTexts   []string
	}{
		"a reader that fails in the middle": {
			givenReader: io.MultiReader(strings.NewReader("ri"), iotest.ErrReader(errTorn)),
			givenLimit:  10,
			wantErr:     errTorn,
			wantTexts:   []string{want.String()},
		},
		"a reader whose error has a class": {
			givenReader: iotest.ErrReader(fault.Wait(v1alpha1.ThrottledReason, 1, errTorn)),
			givenLimit:  10,
			wantClass:   fault.ClassWait,
			wantReason:  v1alpha1.ThrottledReason,
			wantErr:     errTorn,
		},
		"a reader that is cut off": {
			givenReader: io.MultiReader(strings.NewReader("ri"), iotest.ErrReader(io.ErrUnexpectedEOF)),
			givenLimit:  10,
			wantErr:     io.ErrUnexpectedEOF,
		},
		"other bytes": {
			givenReader: strings.NewReader("wrong"),
			givenLimit:  10,
			wantClass:   fault.ClassStall,
			wantReason:  v1alpha1.DigestMismatchReason,
			wantTexts:   []string{"not those of the digest " + want.String()},
		},
		"bytes that end early without an error": {
			givenReader: strings.NewReader("righ"),
			givenLimit:  10,
			wantClass:   fault.ClassStall,
			wantReason:  v1alpha1.DigestMismatchReason,
			wantTexts:   []string{want.String()},
		},
		"one byte over the limit": {
			givenReader: strings.NewReader("right"),
			givenLimit:  4,
			wantClass:   fault.ClassStall,
			wantReason:  v1alpha1.LimitExceededReason,
			wantTexts:   []string{want.String(), "limit of 4 bytes"},
		},
		"a reader without an end": {
			givenReader: endless{},
			givenLimit:  1 << 20,
			wantClass:   fault.ClassStall,
			wantReason:  v1alpha1.LimitExceededReason,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			_, err := s.Commit(t.Context(), want, tc.givenReader, tc.givenLimit)
			faulttest.Want(t, err, tc.wantClass, tc.wantReason, tc.wantTexts...)
			if tc.wantErr != nil && !errors.Is(err, tc.wantErr) {
				t.Errorf("want %v in the chain, got %v", tc.wantErr, err)
			}
			if strings.Contains(err.Error(), digest.FromString("wrong").String()) || strings.Contains(err.Error(), "5 bytes") {
				t.Errorf("want nothing about the bytes that came, got %v", err)
			}
			wantFiles(t, s)
		})
	}
}

func TestCommitDoesNotReadWhatIsThereAlready(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	d := commit(t, s, "right")
	size, err := s.Commit(t.Context(), d, iotest.ErrReader(errTorn), 5)
	if err != nil || size != 5 {
		t.Errorf("want 5 bytes, got %d, %v", size, err)
	}
	_, err = s.Commit(t.Context(), d, iotest.ErrReader(errTorn), 4)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, d.String(), "limit of 4 bytes")
}

func TestCommitStopsWhenTheContextIsDone(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	r := io.MultiReader(strings.NewReader("ri"), readerFunc(func(p []byte) (int, error) {
		cancel()
		return copy(p, "gh"), nil
	}), endless{})
	_, err := s.Commit(ctx, digest.FromString("right"), r, 1<<40)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("want %v, got %v", context.Canceled, err)
	}
	wantFiles(t, s)
}

func TestTwoStoresCommitTheSameDigestAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	content := strings.Repeat("x", 3*bufferSize)
	d := digest.FromString(content)
	stores := []*Store{open(t, dir), open(t, dir)}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s := stores[i%len(stores)]
			if _, err := s.Commit(t.Context(), d, strings.NewReader(content), 1<<20); err != nil {
				t.Errorf("Commit: %v", err)
			}
			f, err := s.Open(d)
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			defer f.Close()
			if got, err := digest.FromReader(f); err != nil || got != d {
				t.Errorf("want %s, got %s, %v", d, got, err)
			}
		})
	}
	wg.Wait()
	wantFiles(t, stores[0], "sha256/"+d.Encoded())
}

func TestADiskThatFailsIsReportedWithWhatToDo(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenCreate error
		givenWrite  error
		givenSync   error
		wantTexts   []string
	}{
		"a full disk": {
			givenWrite: &os.PathError{Op: "write", Path: "tmp/random", Err: syscall.ENOSPC},
			wantTexts:  []string{"no space left on device", "give the volume more space"},
		},
		"a quota that is used up": {
			givenWrite: &os.PathError{Op: "write", Path: "tmp/random", Err: syscall.EDQUOT},
			wantTexts:  []string{"give the volume more space"},
		},
		"a read-only volume": {
			givenCreate: &os.PathError{Op: "openat", Path: "tmp/random", Err: syscall.EROFS},
			wantTexts:   []string{"read-only file system", "mount the volume writable"},
		},
		"a directory of somebody else": {
			givenCreate: &os.PathError{Op: "openat", Path: "tmp/random", Err: syscall.EACCES},
			wantTexts:   []string{"permission denied", "let the provider's user write to it"},
		},
		"a disk that cannot keep what it took": {
			givenSync: &os.PathError{Op: "sync", Path: "tmp/random", Err: syscall.EIO},
			wantTexts: []string{"input/output error"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			d := digest.FromString("right")
			s.create = func(root *os.Root) (tempFile, string, error) {
				if tc.givenCreate != nil {
					return nil, "", tc.givenCreate
				}
				f, name, err := createTemp(root)
				return &brokenFile{tempFile: f, write: tc.givenWrite, sync: tc.givenSync}, name, err
			}
			texts := append([]string{"cache directory " + s.dir}, tc.wantTexts...)

			_, err := s.Commit(t.Context(), d, strings.NewReader("right"), 5)
			faulttest.Want(t, err, fault.ClassRetry, v1alpha1.StoreFailedReason, append(texts, "write blob "+d.String())...)
			wantStable(t, err)
			err = s.Derive(t.Context(), "index", d, func(w io.Writer) error {
				_, err := io.WriteString(w, strings.Repeat("x", 2*bufferSize))
				return err
			})
			faulttest.Want(t, err, fault.ClassRetry, v1alpha1.StoreFailedReason, append(texts, "write index of "+d.String())...)
			wantStable(t, err)
			wantFiles(t, s)
		})
	}
}

func TestDeriveReportsADiskErrorThatItsWriterSwallows(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	s.create = func(root *os.Root) (tempFile, string, error) {
		f, name, err := createTemp(root)
		return &brokenFile{tempFile: f, write: syscall.ENOSPC}, name, err
	}
	err := s.Derive(t.Context(), "index", digest.FromString("x"), func(w io.Writer) error {
		_, _ = io.WriteString(w, strings.Repeat("x", 2*bufferSize))
		return nil
	})
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.StoreFailedReason, "no space left on device")
	wantFiles(t, s)
}

func TestDerive(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	d := digest.FromString("blob")

	derive(t, s, "index", d, "first")
	f, err := s.OpenDerived("index", d)
	wantContent(t, f, err, "first")

	derive(t, s, "index", d, "second")
	f, err = s.OpenDerived("index", d)
	wantContent(t, f, err, "second")

	err = s.Derive(t.Context(), "index", d, func(w io.Writer) error {
		_, _ = io.WriteString(w, "half of the th")
		return fault.Stall(v1alpha1.ManifestInvalidReason, errTorn)
	})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ManifestInvalidReason, "torn")
	f, err = s.OpenDerived("index", d)
	wantContent(t, f, err, "second")
	wantFiles(t, s, "derived/index/"+d.Encoded())
}

func TestDeriveLeavesNothingWhenItsWriterPanics(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	func() {
		defer func() {
			if recover() == nil {
				t.Error("want the panic to go on")
			}
		}()
		_ = s.Derive(t.Context(), "index", digest.FromString("x"), func(io.Writer) error { panic("bug") })
	}()
	wantFiles(t, s)
}

func wantStable(t *testing.T, err error) {
	t.Helper()
	if strings.Contains(err.Error(), "random") {
		t.Errorf("want no name of a temporary file in the message, got %q", err)
	}
}

// brokenFile is a tempFile that fails where it is told to.
type brokenFile struct {
	tempFile
	write, sync error
}

func (f *brokenFile) Write(p []byte) (int, error) {
	if f.write != nil {
		n, _ := f.tempFile.Write(p[:len(p)/2])
		return n, f.write
	}
	return f.tempFile.Write(p)
}

func (f *brokenFile) Sync() error {
	if f.sync != nil {
		return f.sync
	}
	return f.tempFile.Sync()
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
