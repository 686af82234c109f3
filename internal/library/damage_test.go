package library

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
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
			edit(t, l.derived(objectsKind, src), tc.given)

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
		"the index is empty":            {indexKind, cut(func(int) int { return 0 })},
		"the index is cut off":          {indexKind, cut(func(n int) int { return n / 2 })},
		"the index has no entries":      {indexKind, func([]byte) []byte { return []byte(`{"entries":[],"bytes":0}`) }},
		"the index is something else":   {indexKind, func([]byte) []byte { return []byte(`[]`) }},
		"a length is huge":              {indexKind, replace(`"length":`, `"length":9000000000`)},
		"a length is negative":          {indexKind, replace(`"length":`, `"length":-`)},
		"an offset is another":          {indexKind, replace(`"offset":0`, `"offset":1`)},
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
			edit(t, first.derived(tc.givenKind, src), tc.given)

			second := newLibrary(t, dir, newShelf())
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

func TestDamagedBytesAreNotIndexedAgainButFetched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := newLibrary(t, dir, newShelf())
	src := first.shelf.put("https://example.com/a", configMaps(3))
	want := contents(t, first.mustOpen(t, of(src)))
	edit(t, first.derived(indexKind, src), nil)
	edit(t, filepath.Join(dir, "sha256", digestOf(src).Encoded()), func(content []byte) []byte {
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

func TestAnIndexCoversItsFile(t *testing.T) {
	t.Parallel()
	const most = int64(^uint64(0) >> 1)
	entries := func(pairs ...int64) manifest.Index {
		var index manifest.Index
		for i := 0; i < len(pairs); i += 2 {
			index.Entries = append(index.Entries, manifest.Entry{Offset: pairs[i], Length: pairs[i+1]})
		}
		return index
	}
	tests := map[string]struct {
		given     manifest.Index
		givenSize int64
		want      bool
	}{
		"entries back to back":                 {entries(0, 3, 3, 4), 7, true},
		"no entries and an empty file":         {entries(), 0, true},
		"no entries and a file":                {entries(), 1, false},
		"a file that is longer":                {entries(0, 3), 4, false},
		"a file that is shorter":               {entries(0, 3), 2, false},
		"a gap":                                {entries(0, 3, 4, 3), 7, false},
		"an overlap":                           {entries(0, 3, 2, 4), 7, false},
		"an entry without bytes":               {entries(0, 0, 0, 3), 3, false},
		"a negative length":                    {entries(0, -1, -1, 4), 3, false},
		"a negative offset":                    {entries(-1, 4), 3, false},
		"lengths whose sum is more than int64": {entries(0, most, most, most), 7, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := covers(tc.given, tc.givenSize); got != tc.want {
				t.Errorf("want %t, got %t", tc.want, got)
			}
		})
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
