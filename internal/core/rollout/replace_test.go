package rollout

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
)

// refuseChanges has the API server refuse to change the object at a path.
func (m *memory) refuseChanges(at string) {
	m.fail = func(_ int, c call) (error, bool) {
		if c.verb != "apply" || c.path != at || m.objects[at] == nil {
			return nil, true
		}
		return fault.Retry(v1alpha1.ObjectInvalidReason, errors.Join(ErrImmutable, errBroken)), false
	}
}

func TestAFieldThatCannotBeChanged(t *testing.T) {
	t.Parallel()
	const claimPath, claim = "v1/operator/persistentvolumeclaims/disk", "PersistentVolumeClaim"
	tests := map[string]struct {
		given      v1alpha1.ImmutableFields
		at         string
		wantAnew   bool
		wantAdvice string
	}{
		"is reported":                  {at: operatorPath, wantAdvice: "immutableFields: Recreate makes it anew"},
		"has the object made anew":     {given: v1alpha1.RecreateImmutableFields, at: operatorPath, wantAnew: true},
		"never has a volume made anew": {given: v1alpha1.RecreateImmutableFields, at: claimPath, wantAdvice: "would lose what it holds"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			phases := addOn()
			phases[1].documents = append(phases[1].documents, object("v1", claim, "operator", "disk"))
			converge(t, rolloutOf(cluster, releaseOf(t, "one", phases...)))
			cluster.take("")
			changed := strings.NewReplacer("kind: Deployment", "kind: Deployment\nspec: {paused: true}",
				"kind: "+claim, "kind: "+claim+"\nspec: {volumeName: other}")
			for i, document := range phases[1].documents {
				phases[1].documents[i] = changed.Replace(document)
			}
			cluster.refuseChanges(test.at)
			r := rolloutOf(cluster, releaseOf(t, "two", phases...))
			r.ImmutableFields = test.given
			var o Outcome
			for range 4 {
				o = r.Run(t.Context())
			}
			if test.wantAnew {
				if diff := cmp.Diff([]string{test.at}, cluster.take("delete")); diff != "" || o.Err != nil {
					t.Errorf("want it made anew once, got %v, deleted (-want +got):\n%s", o.Err, diff)
				}
				return
			}
			if fault.ReasonOf(o.Err, "") != v1alpha1.ImmutableReason || fault.ClassOf(o.Err) != fault.ClassStall ||
				!strings.Contains(o.Err.Error(), test.wantAdvice) {
				t.Errorf("want a Stall with %q, got %v", test.wantAdvice, o.Err)
			}
			if got := cluster.take("delete"); len(got) > 0 {
				t.Errorf("want nothing deleted, got %v", got)
			}
		})
	}
}

func TestWhatIsSomebodyElsesNowIsNotDeletedToBeMadeAnew(t *testing.T) {
	t.Parallel()
	cluster := installed(t)
	phases := addOn()
	phases[1].documents[1] += "spec: {paused: true}\n"
	r := rolloutOf(cluster, releaseOf(t, "two", phases...))
	r.ImmutableFields = v1alpha1.RecreateImmutableFields
	r.Living = inventory.LivingOf(types.NamespacedName{Namespace: "default", Name: "logging"})
	cluster.fail = func(_ int, c call) (error, bool) {
		if c.verb != "apply" || c.path != operatorPath {
			return nil, true
		}
		// Another set takes it over before it is deleted.
		if taken := cluster.objects[operatorPath]; taken != nil {
			taken.body = []byte(strings.ReplaceAll(string(taken.body), r.Parent.ID(), other.ID()))
		}
		return fault.Retry(v1alpha1.ObjectInvalidReason, errors.Join(ErrImmutable, errBroken)), false
	}
	o := r.Run(t.Context())
	if deleted := cluster.take("delete"); len(deleted) > 0 || !errors.Is(o.Err, inventory.ErrChanged) {
		t.Errorf("want it left, got %v, deleted %v", o.Err, deleted)
	}
}

func TestAJobIsMadeAnewByTheNextRelease(t *testing.T) {
	t.Parallel()
	const jobPath = "batch/v1/operator/jobs/migrate"
	phases := addOn()
	phases[1].documents = append(phases[1].documents, object("batch/v1", "Job", "operator", "migrate"))
	cluster := newMemory(t)
	completed := completeJob(t, cluster, remembering(cluster, releaseOf(t, "one", phases...)), jobPath)
	cluster.take("")
	for _, test := range []struct {
		name, given string
		want        []string
	}{
		{"not while it is the same", "", nil},
		{"if it is another", "spec: {suspend: true}\n", []string{jobPath}},
	} {
		next := append([]string{}, phases[1].documents...)
		next[len(next)-1] += test.given
		later := addOn()
		later[1].documents = next
		r := remembering(cluster, releaseOf(t, test.name, later...))
		r = r.at(completed)
		if test.want != nil {
			cluster.objects[jobPath].finalizer = "example.com/track"
		}
		for range 5 {
			r.Run(t.Context())
			if job := cluster.objects[jobPath]; job != nil && job.deleted != nil {
				delete(cluster.objects, jobPath) // by whoever set the finalizer
			} else if job != nil {
				job.status = conditions("Complete", "True", "", "")
			}
		}
		if diff := cmp.Diff(test.want, cluster.take("delete")); diff != "" {
			t.Errorf("%s: deleted (-want +got):\n%s", test.name, diff)
		}
		if cluster.objects[jobPath] == nil {
			t.Errorf("%s: want the Job there", test.name)
		}
	}
}

func TestAChangeThatLosesObjectsIsRefusedBeforeAnythingOfThePhase(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenFields v1alpha1.ImmutableFields
		givenCRDs   v1alpha1.CRDPolicy
		want        []string // deleted
	}{
		"by default":                        {},
		"though CRDs may be deleted":        {givenCRDs: v1alpha1.DeleteCRDPolicy},
		"though objects may be made anew":   {givenFields: v1alpha1.RecreateImmutableFields},
		"unless the set allows it in words": {v1alpha1.RecreateImmutableFields, v1alpha1.DeleteCRDPolicy, []string{widgetsPath}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := installed(t)
			phases := addOn()
			phases[0].documents = []string{
				strings.Replace(crd("widgets", "Widget", "Cluster"), "scope: Cluster", "scope: Namespaced", 1),
				strings.Replace(crd("gadgets", "Gadget", "Namespaced"), "{name: v1,", "{name: v1, schema: {},", 1),
			}
			r := rolloutOf(cluster, releaseOf(t, "two", phases...))
			r.ImmutableFields, r.CRDs = test.givenFields, test.givenCRDs
			o := r.Run(t.Context())
			if diff := cmp.Diff(test.want, cluster.take("delete")); diff != "" {
				t.Errorf("deleted (-want +got):\n%s", diff)
			}
			if test.want != nil {
				return
			}
			const message = "phase crds: CustomResourceDefinition widgets.example.com is not changed since objects would be lost: " +
				"the scope changes from Cluster to Namespaced: move them first, " +
				"or have it made anew without them by crds: Delete and immutableFields: Recreate"
			if fault.ReasonOf(o.Err, "") != v1alpha1.DataLossReason || o.Err.Error() != message {
				t.Errorf("want %q, got %v", message, o.Err)
			}
			if strings.Contains(string(cluster.objects[gadgetsPath].body), "schema") {
				t.Error("want the other definition left, too")
			}
		})
	}
}
