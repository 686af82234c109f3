package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestADerivedFileIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	d := digestOf("blob")
	tests := map[string]struct {
		given func(t *testing.T, file string)
		want  bool // OpenDerived opens it
	}{
		"other bytes of the same size": {func(t *testing.T, file string) { t.Helper(); write(t, file, "xxxxx") }, true},
		"more bytes":                   {func(t *testing.T, file string) { t.Helper(); write(t, file, "index and more") }, false},
		"fewer bytes":                  {func(t *testing.T, file string) { t.Helper(); write(t, file, "inde") }, false},
		"no bytes":                     {func(t *testing.T, file string) { t.Helper(); write(t, file, "") }, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir())
			derive(t, s, "index", d, "index")
			text, err := s.ReadDerived("index", d)
			if err != nil || string(text) != "index" {
				t.Fatalf("want what was written, got %q, %v", text, err)
			}
			tc.given(t, filepath.Join(s.dir, "derived", "index", d.Encoded()))
			if text, err := s.ReadDerived("index", d); !errors.Is(err, fs.ErrNotExist) || text != nil {
				t.Errorf("ReadDerived: want nothing, got %q, %v", text, err)
			}
			f, err := s.OpenDerived("index", d)
			if (err == nil) != tc.want || err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("OpenDerived: want %t, got %v", tc.want, err)
			}
			if err == nil {
				_ = f.Close()
			}
		})
	}
}

func TestWhatAnotherStoreDerivedIsNotRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := open(t, dir), open(t, dir)
	d := digestOf("blob")
	derive(t, first, "index", d, "index")
	if text, err := second.ReadDerived("index", d); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadDerived: want nothing, got %q, %v", text, err)
	}
	if _, err := second.OpenDerived("index", d); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenDerived: want nothing, got %v", err)
	}
	derive(t, second, "index", d, "index") // the same bytes: the first can still read them
	if text, err := first.ReadDerived("index", d); err != nil || string(text) != "index" {
		t.Errorf("want what both wrote, got %q, %v", text, err)
	}
}

func TestNothingIsRememberedOfWhatIsRemoved(t *testing.T) {
	t.Parallel()
	s := openWith(t, t.TempDir(), Options{MaxBytes: 10, Now: newClock().now})
	derive(t, s, "index", commit(t, s, "aaa"), "index")
	commit(t, s, "evicts all")
	derive(t, s, "index", digestOf("removed"), "")
	if err := s.Remove(digestOf("removed")); err != nil {
		t.Fatal(err)
	}
	if len(s.made) != 0 {
		t.Errorf("want nothing remembered, got %v", s.made)
	}
}

func TestABlobThatIsLargerThanTheStoreIsNotReadToItsEnd(t *testing.T) {
	t.Parallel()
	s := openWith(t, t.TempDir(), Options{MaxBytes: 100})
	d := commit(t, s, "content")
	if err := os.Truncate(filepath.Join(s.dir, "sha256", d.Encoded()), 1<<42); err != nil {
		t.Skip("the file system has no sparse files: ", err)
	}
	_, err := s.Open(d)
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.StoreFailedReason, d.String(), "damaged", "fetched again")
	wantFiles(t, s)
}

func TestAValidatorThatNoHeaderCanHaveIsNotUsed(t *testing.T) {
	t.Parallel()
	for _, poisoned := range []string{"v1\r\nEvil: yes", "v1\x00", "v1\x7f"} {
		s := open(t, t.TempDir())
		name := filepath.Join(s.dir, "partial", wholeDigest.Encoded())
		write(t, name, wholeText[:5])
		write(t, name+validatorSuffix, poisoned)
		from := &remote{content: wholeText, validator: "v1", ranges: true}
		if _, err := s.Resume(t.Context(), wholeDigest, place, from.open, 100); err != nil {
			t.Fatal(err)
		}
		from.wantAsked(t, Partial{})
	}
}

func TestABlobWithOtherBytesIsRemovedInsteadOfOpened(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	d := commit(t, s, "content")
	write(t, filepath.Join(s.dir, "sha256", d.Encoded()), "c0ntent")
	_, err := s.Open(d)
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.StoreFailedReason, d.String(), "damaged", "fetched again")
	wantFiles(t, s)
}
