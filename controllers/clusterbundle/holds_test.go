package clusterbundle

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

func TestABundleIsHeldUntilItIsDroppedOrReplaced(t *testing.T) {
	t.Parallel()
	held := map[string]int{}
	hold := func(name string) func() func() {
		return func() func() {
			held[name]++
			return func() { held[name]-- }
		}
	}
	berlin, paris := types.NamespacedName{Name: "berlin"}, types.NamespacedName{Name: "paris"}
	var h holds
	h.drop(berlin)
	h.keep(berlin, hold("one"))
	h.keep(paris, hold("one"))
	h.keep(berlin, hold("two"))
	if diff := cmp.Diff(map[string]int{"one": 1, "two": 1}, held); diff != "" {
		t.Errorf("while both are in progress (-want +got):\n%s", diff)
	}
	h.drop(berlin)
	h.drop(berlin)
	h.drop(paris)
	if diff := cmp.Diff(map[string]int{"one": 0, "two": 0}, held); diff != "" {
		t.Errorf("in the end (-want +got):\n%s", diff)
	}
}
