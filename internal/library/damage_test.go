package library

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestADamagedObjectFileIsFetchedAgain(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given func([]byte) []byte // nil removes the file
	}{
		"one byte is another": {func(content []byte) []byte { content[len(content)/2] ^= 1; return content }},
		"it is shorter":       {func(content []byte) []byte { return content[:len(content)/2] }},
		"it is empty":         {func([]byte) []byte { return []byte{} }},
		"it is gone":          {nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLibrary(t, t.TempDir(), newShelf())
			src := l.shelf.put("https://example.com/a", configMap("a"))
			opened := l.mustOpen(t, of(src))
			want := contents(t, opened)
			overwrite(t, l.derived(objectsKind, src), tc.given)

			_, err := opened.JSON(opened.Plan.Phases[0].Steps[0].Objects[0])

			faulttest.Want(t, err, fault.ClassRetry, v1alpha1.StoreFailedReason, "ConfigMap default/a", "damaged", "fetched again")
			if _, ok := l.store.Has(digestOf(src)); ok {
				t.Error("want what is damaged to be removed")
			}
			_, err = l.Open(calico, of(src))
			faulttest.Want(t, err, fault.ClassWait, v1alpha1.FetchingReason)
			if diff := cmp.Diff(want, contents(t, l.mustOpen(t, of(src)))); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			if got := l.shelf.total(); got != 2 {
				t.Errorf("want it fetched again, got %d downloads", got)
			}
		})
	}
}

func TestADamagedIndexIsMadeAgainFromTheBytes(t *testing.T) {
	t.Parallel()
	cut := func(at func(int) int) func([]byte) []byte {
		return func(content []byte) []byte { return content[:at(len(content))] }
	}
	replace := func(before, after string) func([]byte) []byte {
		return func(content []byte) []byte { return bytes.Replace(content, []byte(before), []byte(after), 1) }
	}
	tests := map[string]struct {
		givenKind string
		given     func([]byte) []byte
	}{
		"the index is gone":             {indexKind, nil},
		"the index is empty":            {indexKind, cut(func(int) int { return 0 })},
		"the index is cut off":          {indexKind, cut(func(n int) int { return n / 2 })},
		"the index has no entries":      {indexKind, func([]byte) []byte { return []byte(`{"entries":[],"bytes":0}`) }},
		"an object has another name":    {indexKind, replace(`cm-001`, `cm-666`)},
		"an offset is another":          {indexKind, replace(`"offset":0`, `"offset":1`)},
		"a length is huge":              {indexKind, replace(`"length":`, `"length":9000000000`)},
		"the object file is gone":       {objectsKind, nil},
		"the object file is cut off":    {objectsKind, cut(func(n int) int { return n - 1 })},
		"the object file is longer":     {objectsKind, func(content []byte) []byte { return append(content, ' ') }},
		"the object file holds nothing": {objectsKind, cut(func(int) int { return 0 })},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			first := newLibrary(t, dir, newShelf())
			src := first.shelf.put("https://example.com/a", configMaps(3))
			want := contents(t, first.mustOpen(t, of(src)))
			overwrite(t, first.derived(tc.givenKind, src), tc.given)

			second := newLibrary(t, dir, newShelf(), func(cfg *Config) { cfg.Store = first.store })
			_, err := second.Open(calico, of(src))
			faulttest.Want(t, err, fault.ClassWait, v1alpha1.FetchingReason)
			if diff := cmp.Diff(want, contents(t, second.mustOpen(t, of(src)))); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			if got := second.shelf.total(); got != 0 {
				t.Errorf("want the bytes on disk to be used, got %d downloads", got)
			}
		})
	}
}

// poison gives a file of the cache directory other bytes of the same size.
func poison(t *testing.T, path, before, after string) {
	t.Helper()
	overwrite(t, path, func(content []byte) []byte {
		poisoned := bytes.ReplaceAll(content, []byte(before), []byte(after))
		if len(poisoned) != len(content) || bytes.Equal(poisoned, content) {
			t.Fatalf("%s: want %q to be in it and %q as long", path, before, after)
		}
		return poisoned
	})
}

// Who can write to the volume knows the format: the index that it writes is that of the
// objects that it writes.
func TestWhatAnotherProcessDerivedIsNotBelieved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := newLibrary(t, dir, newShelf())
	src := first.shelf.put("https://example.com/a", configMap("a"))
	opened := first.mustOpen(t, of(src))
	want := contents(t, opened)
	before := opened.Plan.Phases[0].Steps[0].Objects[0]
	forged := sha256.Sum256(bytes.ReplaceAll([]byte(want[0]), []byte("value"), []byte("vAlue")))

	for when, l := range map[string]*library{
		"in the same process": newLibrary(t, dir, newShelf(), func(cfg *Config) { cfg.Store = first.store }),
		"in another process":  newLibrary(t, dir, newShelf()),
	} {
		poison(t, first.derived(objectsKind, src), "value", "vAlue")
		poison(t, first.derived(indexKind, src), before.SHA256, hex.EncodeToString(forged[:]))
		if diff := cmp.Diff(want, contents(t, l.mustOpen(t, of(src)))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
}

func TestLimitsHoldForWhatWasIndexedUnderOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := newLibrary(t, dir, newShelf())
	r := of(first.shelf.put("https://example.com/a", configMaps(3)))
	first.mustOpen(t, r)

	_, err := newLibrary(t, dir, newShelf(), func(cfg *Config) { cfg.Limits.Object = 10 }).settle(t, r)

	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "document 1")
}

func TestDamagedBytesAreNotIndexedAgainButFetched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := newLibrary(t, dir, newShelf())
	src := first.shelf.put("https://example.com/a", configMaps(3))
	want := contents(t, first.mustOpen(t, of(src)))
	overwrite(t, first.derived(indexKind, src), nil)
	overwrite(t, filepath.Join(dir, "sha256", digestOf(src).Encoded()), func(content []byte) []byte {
		return bytes.Replace(content, []byte("ConfigMap"), []byte("ConfigMop"), 1)
	})

	second := newLibrary(t, dir, first.shelf)
	err := second.releases.parts.fetch(t.Context(), second.part(src))
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.StoreFailedReason, "damaged", "fetched again")
	if diff := cmp.Diff(want, contents(t, second.mustOpen(t, of(src)))); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if got := second.shelf.total(); got != 2 {
		t.Errorf("want it fetched again, got %d downloads", got)
	}
}

func TestADigestThatIsStillHeldByTheStoreIsNotDownloaded(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	src := l.shelf.put("https://example.com/a", configMap("a"))
	l.mustOpen(t, of(src))
	for _, kind := range []string{indexKind, objectsKind} {
		if err := os.Remove(l.derived(kind, src)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := l.Open(calico, of(src))
	faulttest.Want(t, err, fault.ClassWait, v1alpha1.FetchingReason)
	l.mustOpen(t, of(src))
	if got := l.shelf.total(); got != 1 {
		t.Errorf("want the bytes on disk to be indexed again, got %d downloads", got)
	}
}
