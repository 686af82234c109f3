package workload

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
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

// isFromNow reports whether a request is for a watch without initial events.
func isFromNow(r testenv.Request) bool { return strings.Contains(r.Query, "sendInitialEvents=false") }

// settle waits until the watch cache of ConfigMaps knows all that was written: a
// watch that begins before reports the rest. A list waits for that.
func settle(t testing.TB, w *testenv.Workload) {
	t.Helper()
	if err := w.Client.List(t.Context(), &corev1.ConfigMapList{}); err != nil {
		t.Fatal(err)
	}
}

// TestTwoSetsShareAWatchOfOneAPIServer is about servers of today, and about those
// without the feature gate WatchList, which the proxy imitates.
func TestTwoSetsShareAWatchOfOneAPIServer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given                  testenv.Fault
		wantWatches, wantLists int
	}{
		"a server that begins a watch now":             {nil, 1, 0},
		"a server that has to be asked for a revision": {testenv.Answer(http.StatusUnprocessableEntity, 0), 2, 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := testenv.SharedWorkload(t)
			ns := testenv.NewNamespace(t, w.APIServer)
			proxy := testenv.NewProxy(t, w.APIServer)
			if tc.given != nil {
				proxy.SetFault(testenv.Only(isFromNow, tc.given))
			}
			c, told := newClient(t, proxy.Config), &counted{}
			mine, theirs := ns+"-calico", ns+"-logging"
			for i := range 5 {
				member(t, c, ns, fmt.Sprint("calico-", i), mine, "")
				member(t, c, ns, fmt.Sprint("logging-", i), theirs, "")
			}
			settle(t, w)

			watches := NewWatches(t.Context(), told.notify)
			watches.Set(calico, c, membersOf(t, mine))
			watches.Set(logging, c, membersOf(t, theirs))
			testenv.Eventually(t, "both are notified of the start", func() bool {
				return told.of(calico) > 0 && told.of(logging) > 0
			})
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
			if got := proxy.Count("watch", ""); got != tc.wantWatches || proxy.Count("list", "") != tc.wantLists {
				t.Errorf("want %d watches and %d lists, got %d and %d",
					tc.wantWatches, tc.wantLists, got, proxy.Count("list", ""))
			}
		})
	}
}
