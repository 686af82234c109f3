package archive

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

// broken is a Scratch that fails.
type broken struct {
	memory
	write, read error
	// short is how many bytes it loses.
	short int
}

// Write implements io.Writer.
func (b *broken) Write(p []byte) (int, error) {
	if b.write != nil {
		return 0, b.write
	}
	return b.memory.Write(p)
}

// ReadAt implements io.ReaderAt.
func (b *broken) ReadAt(p []byte, offset int64) (int, error) {
	if b.read != nil {
		return 0, b.read
	}
	kept := b.Bytes()[:b.Len()-b.short]
	return bytes.NewReader(kept).ReadAt(p, offset)
}

func TestAScratchFileThatFails(t *testing.T) {
	t.Parallel()
	full := &fs.PathError{Op: "write", Path: "/cache/tmp/random", Err: syscall.ENOSPC}
	damaged := &fs.PathError{Op: "read", Path: "/cache/tmp/random", Err: syscall.EIO}
	tests := map[string]struct {
		given      *broken
		wantReason string
		wantText   string
	}{
		"because the disk is full": {
			&broken{write: full}, v1alpha1.StoreFailedReason, "scratch file: write: no space left",
		},
		"because the disk is damaged": {
			&broken{read: damaged}, v1alpha1.StoreFailedReason, "scratch file: read: input/output error",
		},
		"because it was cut": {
			&broken{short: 1}, v1alpha1.StoreFailedReason, "scratch file: read: unexpected EOF",
		},
		"for a reason it knows": {
			&broken{write: fault.Stall(v1alpha1.LimitExceededReason, errors.New("quota"))},
			v1alpha1.LimitExceededReason, "scratch file: write: quota",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			packed := tarOf(regular("a.yaml", "1"), regular("b.yaml", strings.Repeat("x", 1000)))
			_, err := readFrom(bytes.NewReader(packed), Tar, nil, DefaultLimits(), func() (Scratch, error) {
				return test.given, nil
			})
			class := fault.ClassRetry
			if test.wantReason == v1alpha1.LimitExceededReason {
				class = fault.ClassStall
			}
			faulttest.Want(t, err, class, test.wantReason, test.wantText)
			if strings.Contains(err.Error(), "random") {
				t.Errorf("want no random name in the message, got %q", err)
			}
			if test.given.closed != 1 {
				t.Errorf("want the scratch file to be closed once, got %d times", test.given.closed)
			}
		})
	}
}

func TestAScratchFileThatCannotBeCreated(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	packed, _ := sample(t, Tar)
	_, err := readFrom(bytes.NewReader(packed), Tar, nil, DefaultLimits(), func() (Scratch, error) {
		return os.CreateTemp(missing, "")
	})
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.StoreFailedReason, "scratch file: create: no such file or directory")
}

func TestOnlyAnArchiveNeedsAScratchFile(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{Plain, Gzip, Zstd} {
		packed, want := sample(t, format)
		got, err := readFrom(bytes.NewReader(packed), format, nil, DefaultLimits(), func() (Scratch, error) {
			return nil, errors.New("not wanted")
		})
		if err != nil {
			t.Errorf("%q: %v", format, err)
		}
		wantFiles(t, want, got)
	}
}

func TestABadArchiveClosesItsScratchFile(t *testing.T) {
	t.Parallel()
	scratch := &memory{}
	packed := tarOf(regular("a.yaml", "1"), typed('2', "b.yaml", ""))
	got, err := readFrom(bytes.NewReader(packed), Tar, nil, DefaultLimits(), func() (Scratch, error) {
		return scratch, nil
	})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArchiveInvalidReason, `"b.yaml"`)
	wantFiles(t, nil, got)
	if scratch.closed != 1 {
		t.Errorf("want the scratch file to be closed once, got %d times", scratch.closed)
	}
}
