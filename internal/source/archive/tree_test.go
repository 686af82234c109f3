package archive

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

// memoryScratch returns a scratch file in memory.
func memoryScratch() (Scratch, error) { return &memory{}, nil }

func TestATreeHasEveryFileAndNoLink(t *testing.T) {
	t.Parallel()
	given := tarOf(regular("./a/kustomization.yaml", "1"), regular("a/script.sh", "2"), regular("._a", "x"),
		typed('2', "a/latest.yaml", ""), typed('5', "b/", ""))
	got, err := ReadTree(bytes.NewReader(given), Tar, DefaultLimits(), 2, memoryScratch)
	if err != nil {
		t.Fatal(err)
	}
	want := Tree{
		Files: map[string][]byte{"a/kustomization.yaml": []byte("1"), "a/script.sh": []byte("2")},
		Links: map[string]bool{"a/latest.yaml": true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	_, err = ReadTree(bytes.NewReader(given), Tar, DefaultLimits(), 1, memoryScratch)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "are 2 bytes together, over the limit of 1")
	_, err = ReadTree(bytes.NewReader(given), Plain, DefaultLimits(), 2, memoryScratch)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceInvalidReason, "not an archive")
}

func TestAFileIsLookedForInAnArchive(t *testing.T) {
	t.Parallel()
	given := tarOf(regular("./b.yaml", ""), regular("a/c.yaml", ""), typed('5', "d.yaml/", ""))
	want := map[string]bool{"b.yaml": true, "a/c.yaml": true, "c.yaml": false, "d.yaml": false}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		got, err := HasFile(bytes.NewReader(given), Tar, DefaultLimits(), []string{"missing", path})
		if err != nil || got != want[path] {
			t.Errorf("%s: want %t, got %t, %v", path, want[path], got, err)
		}
	}
	_, err := HasFile(bytes.NewReader(given[:600]), Tar, DefaultLimits(), []string{"b.yaml"})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArchiveInvalidReason, "cut off")
}
