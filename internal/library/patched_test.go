package library

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/patch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// namespaceB is an object of another step than ConfigMaps.
const namespaceB = "apiVersion: v1\nkind: Namespace\nmetadata: {name: b}\n"

// setsData returns changes that add a value to the data of the ConfigMaps with a name.
func setsData(name, value string) patch.Changes {
	return patch.Changes{{
		Name: "p", Selector: v1alpha1.PatchSelector{APIVersion: "v1", Kind: "ConfigMap", Name: name},
		Operations: []patch.Operation{{Op: "add", Path: "/data", Value: json.RawMessage(`{"k":"` + value + `"}`)}},
	}}
}

// objectNamed returns the object of a release with a name, and its bytes.
func objectNamed(t *testing.T, of *Bundle, name string) (*plan.Object, string) {
	t.Helper()
	for object := range of.Plan.All {
		if object.Name == name {
			body, err := of.JSON(*object)
			if err != nil {
				t.Fatal(err)
			}
			return object, string(body)
		}
	}
	t.Fatalf("no object %s", name)
	return nil, ""
}

func TestAPatchedObjectIsOfItsClusterAndAllOthersAreShared(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	opened := l.mustOpen(t, of(
		l.shelf.put("https://example.com/a", configMap("a")), l.shelf.put("https://example.com/ns", namespaceB)))
	same, err := l.OpenPatched(opened, nil)
	if same != opened || err != nil {
		t.Errorf("want the same without patches, got %v and %v", same, err)
	}
	seen := map[v1alpha1.Digest]bool{opened.Content: true}
	for _, value := range []string{"x", "y"} {
		first, err := l.OpenPatched(opened, setsData("a", value))
		if err != nil {
			t.Fatal(err)
		}
		object, body := objectNamed(t, first, "a")
		if !strings.Contains(body, `"data":{"k":"`+value+`"}`) || object.Length != int64(len(body)) {
			t.Errorf("want it patched, got %s", body)
		}
		before, _ := objectNamed(t, opened, "b")
		if after, _ := objectNamed(t, first, "b"); after != before {
			t.Error("want the other object shared")
		}
		if first.Digest != opened.Digest || seen[first.Content] {
			t.Errorf("want the digest of the release and a content of its own, got %s and %s", first.Digest, first.Content)
		}
		seen[first.Content] = true
		second, err := l.OpenPatched(l.mustOpen(t, of(
			l.shelf.put("https://example.com/a", configMap("a")), l.shelf.put("https://example.com/ns", namespaceB))),
			setsData("a", value))
		if err != nil || second.Plan != first.Plan || second.Content != first.Content {
			t.Errorf("want Clusters with equal values to share a plan, got %v", err)
		}
	}
	if _, body := objectNamed(t, opened, "a"); strings.Contains(body, `"k"`) {
		t.Errorf("want the shared object as it was, got %s", body)
	}
	if l.shelf.total() != 2 {
		t.Errorf("want two downloads, got %d", l.shelf.total())
	}
}

func TestManyClustersArePatchedAtOnce(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	opened := l.mustOpen(t, of(l.shelf.put("https://example.com/a", configMap("a"))))
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			own, err := l.OpenPatched(opened, setsData("a", strings.Repeat("x", n+1)))
			if err != nil {
				t.Error(err)
				return
			}
			for object := range own.Plan.All {
				if body, err := own.JSON(*object); err != nil || !strings.Contains(string(body), `"`+strings.Repeat("x", n+1)+`"`) {
					t.Errorf("want its own value, got %s and %v", body, err)
				}
			}
		})
	}
	all.Wait()
}

func TestPatchesThatCannotBeAppliedAreReported(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	opened := l.mustOpen(t, of(l.shelf.put("https://example.com/a", configMaps(maxPatched+1))))
	optional, broken := setsData("missing", "x"), setsData("", "x")
	optional[0].Optional = true
	broken[0].Operations[0].Path = "/a/b"
	broken[0].Selector.Name = firstName(opened)
	for name, test := range map[string]struct {
		given  patch.Changes
		reason string
		want   string
	}{
		"it selects nothing":         {setsData("missing", "x"), v1alpha1.PatchMatchesNothingReason, "patch p: the release has no v1 ConfigMap missing"},
		"it selects too many":        {setsData("", "x"), v1alpha1.LimitExceededReason, "more than 256 objects"},
		"its path is missing":        {broken, v1alpha1.PatchFailedReason, "patch p: ConfigMap"},
		"it selects nothing and may": {optional, "", ""},
	} {
		_, err := l.OpenPatched(opened, test.given)
		if fault.ReasonOf(err, "") != test.reason || err != nil && (fault.ClassOf(err) != fault.ClassStall || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: want %s with %q, got %v", name, test.reason, test.want, err)
		}
	}
}

func firstName(of *Bundle) string {
	for object := range of.Plan.All {
		return object.Name
	}
	return ""
}
