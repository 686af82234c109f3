package workload

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

var logging = types.NamespacedName{Namespace: "default", Name: "logging"}

// membersOf returns the target of the ConfigMaps of a set.
func membersOf(t testing.TB, part string) []rollout.Target {
	t.Helper()
	return []rollout.Target{{Resource: core(t, "ConfigMap"), Label: inventory.PartOfLabel + "=" + part}}
}

// member applies a ConfigMap of a set, or of none, with a value.
func member(t testing.TB, c *Client, namespace, name, part, value string) {
	t.Helper()
	labels := "{}"
	if part != "" {
		labels = fmt.Sprintf(`{%q:%q}`, inventory.PartOfLabel, part)
	}
	body := fmt.Appendf(nil,
		`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"namespace":%q,"labels":%s},"data":{"value":%q}}`,
		name, namespace, labels, value)
	if _, err := c.Apply(t.Context(), core(t, "ConfigMap"), refTo("ConfigMap", namespace, name), body, inventory.FieldManager); err != nil {
		t.Fatal(err)
	}
}

func TestTwoSetsShareAWatchOfOneAPIServer(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	proxy := testenv.NewProxy(t, w.APIServer)
	c, told := newClient(t, proxy.Config), &counted{}
	mine, theirs := ns+"-calico", ns+"-logging"
	for i := range 5 {
		member(t, c, ns, fmt.Sprint("calico-", i), mine, "")
		member(t, c, ns, fmt.Sprint("logging-", i), theirs, "")
	}

	watches := NewWatches(t.Context(), told.notify)
	watches.Set(calico, c, membersOf(t, mine))
	watches.Set(logging, c, membersOf(t, theirs))
	told.waitForAll(t, []types.NamespacedName{calico, logging}, 1)
	if told.of(calico) != 1 || told.of(logging) != 1 {
		t.Errorf("want one notification of the start, however many members there are, got %v", told.keys)
	}

	member(t, c, ns, "calico-0", mine, "changed")
	testenv.Eventually(t, "a change of a member is told", func() bool { return told.of(calico) == 2 })
	member(t, c, ns, "calico-0", "", "changed")
	testenv.Eventually(t, "a label that was removed is told", func() bool { return told.of(calico) == 3 })
	member(t, c, ns, "logging-0", theirs, "changed")
	testenv.Eventually(t, "the other set has its events", func() bool { return told.of(logging) == 2 })
	// A stream keeps its order: events of the first set would be counted by now.
	if watches, lists := proxy.Count("watch", ""), proxy.Count("list", ""); watches != 1 || lists != 1 {
		t.Errorf("want one watch, and one list for its revision, got %d and %d", watches, lists)
	}
}
