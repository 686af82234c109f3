package rollout

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// putHelms stores an object that belongs to a Helm release.
func (m *memory) putHelms(at, apiVersion, kind, name string) {
	m.put(at, map[string]any{
		"apiVersion": apiVersion, "kind": kind,
		"metadata": map[string]any{
			"name": name, "annotations": map[string]any{"meta.helm.sh/release-name": "theirs"},
		},
	})
}

// putSpace stores the Namespace of the operator, as nobody's.
func (m *memory) putSpace() {
	m.put(spacePath, map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "operator"},
	})
}

const advice = " is owned by the Helm release theirs: remove it there, or take it over with adoption: Always"

func TestCollisionsOfAPhaseAreFoundBeforeAnythingOfItIsApplied(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given       func(*memory)
		wantMessage string
	}{
		"one in the last step": {
			given: func(m *memory) {
				m.putHelms(webhookPath, "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "operator")
			},
			wantMessage: "phase operator: ValidatingWebhookConfiguration operator" + advice,
		},
		"several in several steps, all of which are named": {
			given: func(m *memory) {
				m.putHelms(accountPath, "v1", "ServiceAccount", "operator")
				m.putHelms(operatorPath, "apps/v1", "Deployment", "operator")
				m.putHelms(webhookPath, "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "operator")
			},
			wantMessage: "phase operator: ServiceAccount operator/operator" + advice +
				"; Deployment operator/operator" + advice + "; ValidatingWebhookConfiguration operator" + advice,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			cluster.putSpace()
			test.given(cluster)
			o := settle(t, rolloutOf(cluster, releaseOf(t, "one", addOn()...)))
			wantErr(t, o.Err, fault.ClassStall, v1alpha1.CollisionReason, 0, test.wantMessage)
			// The phase before is complete.
			want := [][]string{{parentPath, widgetsPath, gadgetsPath, parentPath}}
			if diff := cmp.Diff(sets(want...), sets(cluster.take("apply"))); diff != "" {
				t.Errorf("applied (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCollisionThatIsResolvedLetsThePhaseGoOn(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.putHelms(webhookPath, "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "operator")
	r := rolloutOf(cluster, releaseOf(t, "one", addOn()...))
	if o := settle(t, r); fault.ClassOf(o.Err) != fault.ClassStall {
		t.Fatalf("want a collision, got %v", o.Err)
	}
	delete(cluster.objects, webhookPath)
	converge(t, r)
}

// A read may fail because of what the phase mends, such as the webhook that
// converts the object.
func TestOwnerThatCannotBeReadKeepsNothingButItsObject(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.fail = func(_ int, c call) (error, bool) {
		if c.verb == "metadata" && c.path == webhookPath {
			return fault.Retry(v1alpha1.ApplyFailedReason, errBroken), false
		}
		return nil, true
	}
	o := settle(t, rolloutOf(cluster, releaseOf(t, "one", mixed())))
	wantErr(t, o.Err, fault.ClassRetry, v1alpha1.ApplyFailedReason, 0, "phase all: the connection broke")
	want := [][]string{{
		parentPath, spacePath, widgetsPath, gadgetsPath, accountPath, settingsPath, operatorPath,
	}}
	if diff := cmp.Diff(sets(want...), sets(cluster.take("apply"))); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
}

func TestOwnersAreReadOnceInAPassAndOnlyBeforeAnApply(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.workloadDelay = 1
	// What is not looked for since it cannot exist is another test's matter.
	converge(t, rolloutOf(cluster, releaseOf(t, "zero", written{name: "before", documents: []string{
		crd("widgets", "Widget", "Cluster"), crd("gadgets", "Gadget", "Namespaced"), object("v1", "Namespace", "", "operator"),
	}})))
	cluster.put(webhookPath, map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
		"metadata": map[string]any{"name": "operator"},
	})
	cluster.take("metadata")
	r := rolloutOf(cluster, releaseOf(t, "one", mixed()))
	r.Memory = &Memory{}
	behind := []string{webhookPath, widgetPath, gadgetPath}
	want := [][]string{
		// The two CustomResourceDefinitions are listed.
		append([]string{spacePath, accountPath, settingsPath, operatorPath}, behind...),
		nil,           // the gate of the workloads is closed: nothing is applied
		{webhookPath}, // the others did not exist a moment ago
	}
	for i, want := range want {
		o := r.Run(t.Context())
		if diff := cmp.Diff(sets(want), sets(cluster.take("metadata"))); diff != "" {
			t.Errorf("pass %d, which ended with %v, read (-want +got):\n%s", i, o.Err, diff)
		}
	}
}

func TestObjectsOfOthersAreTakenOverWhenThatIsAskedFor(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.putHelms(webhookPath, "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "operator")
	r := rolloutOf(cluster, releaseOf(t, "one", addOn()...))
	r.Adoption = v1alpha1.AlwaysAdoption
	converge(t, r)
	if !slices.Contains(cluster.take("apply"), webhookPath) {
		t.Error("want the object of the Helm release applied")
	}
}

func TestThrottlingEndsTheCheckOfOwners(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.fail = func(_ int, c call) (error, bool) {
		if c.verb == "metadata" {
			return fault.Wait(v1alpha1.ThrottledReason, 7*time.Second, ErrThrottled), false
		}
		return nil, true
	}
	many := written{name: "many"}
	for i := range 50 {
		many.documents = append(many.documents, crd(fmt.Sprintf("r%02ds", i), fmt.Sprintf("R%02d", i), "Cluster"),
			object("example.com/v1", fmt.Sprintf("R%02d", i), "", "one"))
	}
	crds := written{name: "crds"}
	for i := 0; i < len(many.documents); i += 2 {
		crds.documents = append(crds.documents, many.documents[i])
	}
	converge(t, rolloutOf(cluster, releaseOf(t, "zero", crds)))
	o := rolloutOf(cluster, releaseOf(t, "one", many)).Run(t.Context())
	if !errors.Is(o.Err, ErrThrottled) || fault.AfterOf(o.Err) != 7*time.Second {
		t.Errorf("want to wait as long as the server asks for, got %v", o.Err)
	}
	if reads := len(cluster.take("metadata")); reads > 2*parallel {
		t.Errorf("want at most %d reads, got %d", 2*parallel, reads)
	}
}

func TestKindThatIsNotServedHasNoOwner(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	r := rolloutOf(cluster, releaseOf(t, "one", written{name: "all", documents: []string{
		object("other.org/v2", "Thing", "", "first"), object("v1", "Namespace", "", "operator"),
	}}))
	wantErr(t, r.Run(t.Context()).Err, fault.ClassWait, v1alpha1.KindNotServedReason, kindRetry,
		"phase all: Thing first: the workload cluster does not serve the kind Thing in other.org/v2: "+
			"is its CustomResourceDefinition installed?")
	if cluster.objects[spacePath] == nil {
		t.Error("want the step before applied")
	}

	// As soon as the kind is served, its objects have owners.
	cluster.extra = map[string][]metav1.APIResource{"other.org/v2": {{Name: "things", Kind: "Thing"}}}
	cluster.putHelms("other.org/v2/things/first", "other.org/v2", "Thing", "first")
	cluster.take("apply")
	wantErr(t, r.Run(t.Context()).Err, fault.ClassStall, v1alpha1.CollisionReason, 0, "phase all: Thing first"+advice)
	if got := cluster.take("apply"); slices.Contains(got, "other.org/v2/things/first") {
		t.Errorf("applied %v", got)
	}
}

func TestOfTwoSetsThatMakeAnObjectAtOnceOneLooksAgain(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	r := rolloutOf(cluster, releaseOf(t, "one", written{name: "all", documents: []string{object("v1", "Secret", "", "taken")}}))
	const at = "v1/default/secrets/taken"
	// Another set makes it between the look and the apply.
	cluster.done = func(_ int, c call) {
		if c.verb == "metadata" && c.path == at {
			cluster.putHelms(at, "v1", "Secret", "taken")
		}
	}
	wantErr(t, r.Run(t.Context()).Err, fault.ClassWait, v1alpha1.ApplyFailedReason, time.Second,
		"phase all: Secret default/taken: it was changed after it was read")
	cluster.done = nil
	wantErr(t, r.Run(t.Context()).Err, fault.ClassStall, v1alpha1.CollisionReason, 0, "phase all: Secret default/taken"+advice)
}

func TestWhatWasAppliedOnceIsNotTouchedByAnotherRelease(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	converge(t, rolloutOf(cluster, releaseOf(t, "one", addOn()...)))
	cluster.take("apply")
	r := rolloutOf(cluster, releaseOf(t, "two", written{name: "all", documents: []string{object("v1", "Secret", "", "new")}}))
	r.Once = true
	if o := r.at(24 * time.Hour).Run(t.Context()); o.Err != nil || o.Current != 1 {
		t.Errorf("want it complete, got %+v", o)
	}
	if got := cluster.take("apply"); len(got) > 0 {
		t.Errorf("want no writes, got %v", got)
	}
}
