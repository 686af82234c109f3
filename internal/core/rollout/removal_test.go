package rollout

import (
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
)

// other is another set that is on the Cluster.
var other = inventory.ParentOf("default", "logging")

// removalOf removes what the rollouts of rolloutOf brought.
func removalOf(cluster *memory, crds v1alpha1.CRDPolicy) Removal {
	return Removal{
		Cluster: cluster, Parent: inventory.ParentOf("default", "cni"), CRDs: crds,
		Living: inventory.LivingOf(types.NamespacedName{Namespace: "default", Name: "logging"}),
		Now:    func() time.Time { return noon },
	}
}

// installed is a cluster with the add-on, complete.
func installed(t *testing.T) *memory {
	t.Helper()
	cluster := newMemory(t)
	converge(t, rolloutOf(cluster, releaseOf(t, "one", addOn()...)))
	cluster.take("")
	return cluster
}

func TestARemovalGoesFromTheInstancesBackToTheOperator(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenPolicy v1alpha1.CRDPolicy
		want        [][]string // deleted together
		wantLeft    []string
	}{
		"CustomResourceDefinitions and Namespaces stay": {
			want: [][]string{
				{gadgetPath, widgetPath}, {webhookPath}, {operatorPath}, {settingsPath, accountPath}, {parentPath},
			},
			wantLeft: []string{gadgetsPath, widgetsPath, spacePath},
		},
		"or go last": {
			givenPolicy: v1alpha1.DeleteCRDPolicy,
			want: [][]string{
				{gadgetPath, widgetPath}, {webhookPath}, {operatorPath}, {settingsPath, accountPath},
				{gadgetsPath, widgetsPath}, {spacePath}, {parentPath},
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := installed(t)
			if o := removalOf(cluster, test.givenPolicy).Run(t.Context()); o.Err != nil || o.Left != 0 {
				t.Fatalf("want it done, got %+v", o)
			}
			deleted := cluster.take("delete")
			for _, together := range test.want {
				got := slices.Sorted(slices.Values(deleted[:min(len(together), len(deleted))]))
				if diff := cmp.Diff(slices.Sorted(slices.Values(together)), got); diff != "" {
					t.Errorf("deleted (-want +got):\n%s", diff)
				}
				deleted = deleted[len(got):]
			}
			if diff := cmp.Diff(test.wantLeft, slices.Sorted(maps.Keys(cluster.objects))); diff != "" || len(deleted) > 0 {
				t.Errorf("left (-want +got):\n%s\nand deleted %v", diff, deleted)
			}
			if o := removalOf(cluster, test.givenPolicy).Run(t.Context()); o.Err != nil || len(cluster.take("delete")) > 0 {
				t.Errorf("want nothing left to do, got %+v", o)
			}
		})
	}
}

func TestARemovalWaitsForFinalizersAndNamesThemInTheEnd(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenAfter  time.Duration
		wantRetry   time.Duration
		wantReason  string
		wantMessage string
	}{
		"at first": {0, leaverRetry, v1alpha1.RemovingReason, "removal: being removed: Gadget default/first"},
		"after a minute": {
			time.Minute, stuckRetry, v1alpha1.FinalizerReason, "removal: Gadget default/first is being deleted, and its finalizer " +
				"example.com/cleanup stays: whoever set it should remove it",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := installed(t)
			cluster.objects[gadgetPath].finalizer = "example.com/cleanup"
			r := removalOf(cluster, "")
			r.Run(t.Context())
			r.Now = func() time.Time { return noon.Add(test.givenAfter) }
			o := r.Run(t.Context())
			if got := fault.ReasonOf(o.Err, ""); got != test.wantReason || o.Err.Error() != test.wantMessage || o.Left != 5 {
				t.Errorf("want %s, %q, got %+v", test.wantReason, test.wantMessage, o)
			}
			if got := fault.AfterOf(o.Err); got != test.wantRetry {
				t.Errorf("want it looked at again after %s, got %s", test.wantRetry, got)
			}
			if cluster.objects[operatorPath] == nil || len(o.Targets) != 1 {
				t.Errorf("want the operator there and the instance watched, got %+v", o)
			}
			if deletes := cluster.take("delete"); len(deletes) != 2 {
				t.Errorf("want each instance deleted once, got %v", deletes)
			}
			delete(cluster.objects, gadgetPath)
			if o := r.Run(t.Context()); o.Err != nil {
				t.Errorf("want it done, got %v", o.Err)
			}
		})
	}
}

func TestARemovalListsNoKindAgainOfWhichNothingIsLeft(t *testing.T) {
	t.Parallel()
	cluster := installed(t)
	cluster.objects[widgetsPath].finalizer = "customresourcecleanup.apiextensions.k8s.io"
	r := removalOf(cluster, v1alpha1.DeleteCRDPolicy)
	r.Memory = &RemovalMemory{}
	r.Run(t.Context())
	cluster.take("")
	r.Run(t.Context())
	cluster.take("")
	if o := r.Run(t.Context()); o.Err == nil || o.Left != 2 {
		t.Errorf("want the definition and the Namespace left, got %+v", o)
	}
	want := []string{"apiextensions.k8s.io/v1/customresourcedefinitions", "v1/namespaces"}
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(cluster.take("list")))); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	delete(cluster.objects, widgetsPath)
	if o := r.Run(t.Context()); o.Err != nil || cluster.objects[spacePath] != nil {
		t.Errorf("want it done, got %+v", o)
	}
}

func TestARemovalRemovesWhatStayedWhenThePolicyChanges(t *testing.T) {
	t.Parallel()
	cluster := installed(t)
	cluster.objects[accountPath].finalizer = "example.com/cleanup"
	r := removalOf(cluster, "")
	r.Memory = &RemovalMemory{}
	r.Run(t.Context())
	delete(cluster.objects, accountPath)
	r.CRDs = v1alpha1.DeleteCRDPolicy
	if o := r.Run(t.Context()); o.Err != nil || len(cluster.objects) > 0 {
		t.Errorf("want nothing left, got %v, %v", o.Err, slices.Sorted(maps.Keys(cluster.objects)))
	}
}

func TestARemovalLeavesWhatIsNotTheSets(t *testing.T) {
	t.Parallel()
	const slicePath = "v1/operator/configmaps/copied"
	cluster := installed(t)
	// A controller copied the labels, and not who wrote them.
	cluster.objects[slicePath] = &stored{body: cluster.objects[settingsPath].body}
	cluster.put("v1/operator/configmaps/foreign", map[string]any{"kind": "ConfigMap"})
	// The other set shares the Namespace.
	cluster.annotate(spacePath, other.SharedAnnotation())
	if o := removalOf(cluster, v1alpha1.DeleteCRDPolicy).Run(t.Context()); o.Err != nil {
		t.Fatal(o.Err)
	}
	want := []string{slicePath, "v1/operator/configmaps/foreign", spacePath}
	for _, at := range want {
		if cluster.objects[at] == nil {
			t.Errorf("want %s there", at)
		}
	}
	if diff := cmp.Diff([]string{spacePath}, cluster.take("let go")); diff != "" {
		t.Errorf("let go (-want +got):\n%s", diff)
	}
}

// annotate gives an object an annotation beside those that it has.
func (m *memory) annotate(at, key string) {
	object := m.objects[at]
	object.body = []byte(strings.Replace(string(object.body), `"annotations":{`, `"annotations":{"`+key+`":"x",`, 1))
	if !strings.Contains(string(object.body), key) {
		m.t.Fatalf("%s has no annotations: %s", at, object.body)
	}
}

func TestARemovalLetsGoWhatHoldsObjectsOfAnotherSet(t *testing.T) {
	t.Parallel()
	cluster := installed(t)
	theirs := func(name string) map[string]any {
		return map[string]any{"name": name, "labels": map[string]any{inventory.PartOfLabel: other.ID()}}
	}
	cluster.put("v1/operator/configmaps/theirs", map[string]any{"kind": "ConfigMap", "metadata": theirs("theirs")})
	cluster.put("example.com/v1/widgets/theirs", map[string]any{"kind": "Widget", "metadata": theirs("theirs")})
	parent, err := other.Update(&corev1.ConfigMap{}, inventory.Record{GroupKinds: []string{"ConfigMap", "Widget.example.com"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	parent.ResourceVersion = "1"
	cluster.objects["v1/kube-system/configmaps/"+other.Name()] = &stored{body: encode(t, parent), version: 1}
	if o := removalOf(cluster, v1alpha1.DeleteCRDPolicy).Run(t.Context()); o.Err != nil {
		t.Fatal(o.Err)
	}
	if cluster.objects[spacePath] == nil || cluster.objects[widgetsPath] == nil || cluster.objects[gadgetsPath] != nil {
		t.Error("want the Namespace and the definition that the other set needs there, and the other definition gone")
	}
	if diff := cmp.Diff([]string{widgetsPath, spacePath}, cluster.take("let go")); diff != "" {
		t.Errorf("let go (-want +got):\n%s", diff)
	}
}

func TestARemovalKeepsWhatItsAuthorWantsKept(t *testing.T) {
	t.Parallel()
	cluster := installed(t)
	object := cluster.objects[settingsPath]
	object.body = []byte(strings.Replace(string(object.body), `"annotations":{`, `"annotations":{"helm.sh/resource-policy":"keep",`, 1))
	if o := removalOf(cluster, v1alpha1.DeleteCRDPolicy).Run(t.Context()); o.Err != nil {
		t.Fatal(o.Err)
	}
	if cluster.objects[settingsPath] == nil || cluster.objects[accountPath] != nil {
		t.Error("want what is to be kept there, and the rest gone")
	}
}

func TestARemovalLetsGoWhatTheSetOnlyShared(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	r := remembering(cluster, releaseOf(t, "one", addOn()...)) // no pass looks at the Namespace again
	r.Living = inventory.LivingOf(
		types.NamespacedName{Namespace: "default", Name: "cni"}, types.NamespacedName{Namespace: "default", Name: "logging"})
	cluster.put(spacePath, map[string]any{"kind": "Namespace", "metadata": map[string]any{
		"name": "operator", "labels": map[string]any{inventory.PartOfLabel: other.ID()},
	}})
	complete(t.Context(), t, r, 0)
	if _, record := cluster.parent(); !slices.Contains(record.Shared, "Namespace") {
		t.Errorf("want the kind recorded that is shared, got %v", record.Shared)
	}
	cluster.objects[spacePath].body = []byte(strings.Replace(string(cluster.objects[spacePath].body),
		`"metadata":{`, `"metadata":{"labels":{"`+inventory.PartOfLabel+`":"`+other.ID()+`"},`, 1))
	cluster.take("")
	if o := removalOf(cluster, v1alpha1.DeleteCRDPolicy).Run(t.Context()); o.Err != nil {
		t.Fatal(o.Err)
	}
	if diff := cmp.Diff([]string{spacePath}, cluster.take("let go")); diff != "" || cluster.objects[spacePath] == nil {
		t.Errorf("let go (-want +got):\n%s", diff)
	}
}

func TestARemovalStopsAtItsGuard(t *testing.T) {
	t.Parallel()
	cluster := installed(t)
	r := removalOf(cluster, "")
	var asked atomic.Int32
	r.Guard = func() error {
		if asked.Add(1) > 3 {
			return fault.Wait(v1alpha1.PausedReason, 0, errBroken)
		}
		return nil
	}
	o := r.Run(t.Context())
	if fault.ReasonOf(o.Err, "") != v1alpha1.PausedReason || len(cluster.take("delete")) != 2 {
		t.Errorf("want it stopped before the fourth write, the first of which is the parent, got %+v", o)
	}
}

func TestPruningWaitsForTheLastGateAndForFinalizers(t *testing.T) {
	t.Parallel()
	cluster := installed(t)
	phases := addOn()
	phases[0].documents = phases[0].documents[:1] // the definition of Gadgets leaves
	phases[2].documents = []string{object("v1", "Secret", "operator", "token")}
	r := rolloutOf(cluster, releaseOf(t, "two", phases...))
	cluster.objects[operatorPath].status = map[string]any{"observedGeneration": int64(0)}
	if o := r.Run(t.Context()); o.Err == nil || len(cluster.take("delete")) > 0 {
		t.Fatalf("want nothing removed while a gate is closed, got %+v", o)
	}
	cluster.objects[operatorPath].status = nil
	cluster.objects[gadgetPath].finalizer = "example.com/cleanup"
	o := r.Run(t.Context())
	if fault.ReasonOf(o.Err, "") != v1alpha1.PruningReason || cluster.objects[settingsPath] == nil {
		t.Fatalf("want it to wait for the instance, got %+v", o)
	}
	if parent, _ := cluster.parent(); inventory.IsComplete(parent, "two") {
		t.Error("want the release not complete while it prunes")
	}
	delete(cluster.objects, gadgetPath)
	converge(t, r)
	if cluster.objects[gadgetsPath] == nil || cluster.objects[widgetPath] != nil || cluster.objects[settingsPath] != nil {
		t.Errorf("want the definition there and the rest gone, got %v", slices.Sorted(maps.Keys(cluster.objects)))
	}
	parent, record := cluster.parent()
	if !inventory.IsComplete(parent, "two") || slices.Contains(record.GroupKinds, "Widget.example.com") {
		t.Errorf("want it complete and the kind gone from the inventory, got %v", record)
	}
	cluster.take("")
	r.Run(t.Context())
	if lists := cluster.take("preferred"); len(lists) > 0 {
		t.Error("want nothing looked for once it is pruned")
	}
}

func TestPruningKeepsWhatTheReleaseCannotBeWithout(t *testing.T) {
	t.Parallel()
	cluster := installed(t)
	phases := addOn()
	phases[0].documents = phases[0].documents[1:] // the definition of Widgets leaves, a Widget stays
	phases[1].documents = phases[1].documents[:3] // the Namespace leaves, what is in it stays
	r := rolloutOf(cluster, releaseOf(t, "two", phases...))
	r.CRDs = v1alpha1.DeleteCRDPolicy
	converge(t, r)
	if deleted := cluster.take("delete"); len(deleted) > 0 {
		t.Errorf("want nothing removed, got %v", deleted)
	}
	phases[1].documents, phases[2].documents = phases[1].documents[:1], phases[2].documents[1:2]
	r.Release = releaseOf(t, "three", phases...)
	converge(t, r)
	if cluster.objects[spacePath] != nil || cluster.objects[widgetsPath] != nil {
		t.Errorf("want both removed with the last object that needs them, got %v", slices.Sorted(maps.Keys(cluster.objects)))
	}
}

func TestWhatWasHalfRemovedIsInstalledAgain(t *testing.T) {
	t.Parallel()
	for _, once := range []bool{false, true} {
		cluster := installed(t)
		cluster.objects[operatorPath].finalizer = "example.com/cleanup"
		if o := removalOf(cluster, "").Run(t.Context()); o.Err == nil {
			t.Fatal("want it to wait for the operator")
		}
		if parent, _ := cluster.parent(); inventory.IsSettled(parent) || inventory.PhaseOf(parent) != "removing" {
			t.Errorf("want the parent to say that it is being removed, got %q", inventory.PhaseOf(parent))
		}
		delete(cluster.objects, operatorPath)
		r := rolloutOf(cluster, releaseOf(t, "one", addOn()...))
		r.Once = once
		converge(t, r)
		if cluster.objects[widgetPath] == nil || cluster.objects[operatorPath] == nil {
			t.Errorf("once %t: want everything there again, got %v", once, slices.Sorted(maps.Keys(cluster.objects)))
		}
	}
}

func TestWhatLeftIsPrunedThoughTheParentWasLostDuringTheUpgrade(t *testing.T) {
	t.Parallel()
	cluster := installed(t)
	cluster.objects[operatorPath].status = map[string]any{"observedGeneration": int64(0)}
	r := rolloutOf(cluster, releaseOf(t, "two", nextAddOn()...))
	r.Run(t.Context())
	delete(cluster.objects, parentPath)
	cluster.put("v1/operator/serviceaccounts/foreign", map[string]any{"kind": "ServiceAccount"})
	cluster.objects[operatorPath].status = nil
	r.Release = releaseOf(t, "two", append(nextAddOn(), written{name: "more", documents: []string{
		object("v1", "ServiceAccount", "operator", "another"),
	}})...)
	converge(t, r)
	if cluster.objects[accountPath] != nil || cluster.objects["v1/operator/serviceaccounts/foreign"] == nil {
		t.Errorf("want what left removed and nothing else, got %v", slices.Sorted(maps.Keys(cluster.objects)))
	}
}
