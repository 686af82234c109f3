package test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// step does one operation, and may wait for what it leads to.
func (q *sequence) step() {
	q.t.Helper()
	operations := []func(){q.pinAnother, q.pinAnother, q.drift, q.drift, q.drift, q.addFields, q.restart, q.outage, q.outage, q.hold, q.optAnother}
	q.do(operations...)
	switch q.rng.IntN(4) {
	case 0:
		if !q.paused && !q.suspended {
			q.t.Log("  waits until all is done")
			q.settle()
		}
	case 1, 2:
		q.awaitWrites(1 + q.rng.IntN(8))
	}
	q.wantHeld()
}

// do does one of the operations.
func (q *sequence) do(operations ...func()) { operations[q.rng.IntN(len(operations))]() }

// note logs an operation before it is done.
func (q *sequence) note(format string, args ...any) {
	q.t.Helper()
	q.t.Logf(time.Now().Format("05.000 ")+format, args...)
}

// awaitWrites waits until there were some more writes, or nothing is left to do.
func (q *sequence) awaitWrites(n int) {
	q.t.Helper()
	if q.paused || q.suspended {
		return
	}
	q.t.Logf("  waits for %d writes", n)
	before := len(q.seen.Writes())
	q.Eventually(func() bool { return len(q.seen.Writes()) >= before+n || len(q.unsettled()) == 0 }).Should(BeTrue())
}

// pinAnother has another release chosen: by the set, or by what the Bundle has.
func (q *sequence) pinAnother() {
	q.t.Helper()
	q.pin = 1 + (q.pin+q.rng.IntN(sequenceReleases-1))%sequenceReleases
	q.doubt.begins()
	has, version := sequenceReleases, only(q.pin)
	if q.rng.IntN(3) == 0 {
		has, version = q.pin, ""
	}
	q.note("pin %d, the Bundle has %d releases", q.pin, has)
	q.change(q.of, func() { q.of.Spec.Releases = sequenceBundle(q.id, has) })
	q.change(q.set, func() { q.set.Spec.Bundle.Version = version })
}

// optAnother opts the Cluster in or out.
func (q *sequence) optAnother() { q.t.Helper(); q.opt(!q.selected) }

func (q *sequence) opt(in bool) {
	q.t.Helper()
	q.note("opt in: %t", in)
	q.selected, q.retained = in, q.retained || q.crds == v1alpha1.RetainCRDPolicy
	q.doubt.begins()
	q.doubt.forgets()
	q.change(q.cluster, func() {
		q.cluster.Labels = nil
		if in {
			q.cluster.Labels = optIn(sequenceSet)
		}
	})
}

// hold pauses the Cluster or suspends the set, or ends that.
func (q *sequence) hold() {
	q.t.Helper()
	switch {
	case q.rng.IntN(2) == 0 && !q.paused:
		q.note("pause")
		q.change(q.cluster, func() { q.cluster.Spec.Paused = new(true) })
		q.paused = true
		q.awaitHeld()
	case q.paused:
		q.unpause()
	case !q.suspended:
		q.note("suspend")
		q.change(q.set, func() { q.set.Spec.Suspend = new(true) })
		q.suspended = true
		q.awaitHeld()
	default:
		q.resume()
	}
}

func (q *sequence) unpause() {
	q.t.Helper()
	if !q.paused {
		return
	}
	q.note("unpause")
	q.release(func() {
		q.change(q.cluster, func() { q.cluster.Spec.Paused = new(false) })
		q.paused = false
	})
}

func (q *sequence) resume() {
	q.t.Helper()
	if !q.suspended {
		return
	}
	q.note("resume")
	q.release(func() {
		q.change(q.set, func() { q.set.Spec.Suspend = nil })
		q.suspended = false
	})
}

// awaitHeld waits until the ClusterBundle says what holds it: from then on nothing is
// written. One that does not exist cannot say so.
func (q *sequence) awaitHeld() {
	q.t.Helper()
	exists := true
	q.Eventually(func() bool {
		by := ""
		by, exists = q.heldBy()
		return !exists || by == q.wantHeldBy()
	}).Should(BeTrue())
	if q.heldAt < 0 && (exists || !q.selected) {
		q.heldAt = len(q.seen.Writes())
	}
}

// wantHeldBy is what the ClusterBundle is to say that holds it; empty for nothing.
func (q *sequence) wantHeldBy() string {
	switch {
	case q.paused:
		return v1alpha1.PausedReason
	case q.suspended:
		return v1alpha1.SuspendedReason
	}
	return ""
}

// heldBy returns what the ClusterBundle says that holds it.
func (q *sequence) heldBy() (reason string, exists bool) {
	cb, err := q.clusterBundle(q.name())
	if apierrors.IsNotFound(err) {
		return "", false
	}
	paused := meta.FindStatusCondition(cb.Status.Conditions, v1alpha1.PausedCondition)
	if paused != nil && paused.Status == metav1.ConditionTrue {
		return paused.Reason, true
	}
	return "", true
}

// release ends what held all, and waits until that is seen.
func (q *sequence) release(end func()) {
	q.t.Helper()
	q.wantHeld()
	end()
	if !q.paused && !q.suspended {
		q.heldAt = -1
	}
	q.Eventually(func() bool {
		by, exists := q.heldBy()
		return !exists || by == q.wantHeldBy()
	}).Should(BeTrue())
}

// wantHeld fails the test if something was written while nothing may be.
func (q *sequence) wantHeld() {
	q.t.Helper()
	if q.heldAt >= 0 {
		q.Expect(describe(q.seen.Writes()[q.heldAt:])).To(BeEmpty(), "nothing is written while it is paused or suspended")
	}
}

// restart stops or kills the manager, and starts it again. Meanwhile something may
// happen.
func (q *sequence) restart() {
	q.t.Helper()
	kill := q.rng.IntN(2) == 0
	q.note("restart, kill: %t", kill)
	if kill {
		q.manager.Kill()
	} else {
		q.manager.Stop()
	}
	if q.rng.IntN(2) == 0 {
		q.do(q.pinAnother, q.drift, q.drift, q.optAnother)
	}
	q.doubt.forgets()
	clear(q.drifts)
	manager, err := testenv.StartManager(q.t.Context(), q.sequences.options)
	q.Expect(err).NotTo(HaveOccurred())
	q.manager, q.sequences.manager = manager, manager
}

// outage has the next few requests of passes fail. Not those by which Cluster API
// connects: it tries that again after half a minute.
func (q *sequence) outage() {
	q.t.Helper()
	var left atomic.Int32
	n := 1 + q.rng.IntN(6)
	left.Store(int32(n))
	kinds := []string{"are cut", "lose their answers", "get an error", "are cut, and all connections"}
	kind := q.rng.IntN(len(kinds))
	fault := []testenv.Fault{testenv.Cut, loseUnlessWatch, testenv.Answer(http.StatusInternalServerError, 0), testenv.Cut}[kind]
	q.note("%d requests %s", n, kinds[kind])
	q.doubt.forgets()
	q.seen.SetFault(func(w http.ResponseWriter, r *http.Request, request testenv.Request) bool {
		return isOfPass(request) && left.Add(-1) >= 0 && fault(w, r, request)
	})
	if kind == 3 {
		q.seen.CloseConnections()
	}
}

// maxDrifts is how often others change one object: one that is changed again and
// again is contested and no longer repaired.
const maxDrifts = 2

// drift has others change an object of the release, or delete it.
func (q *sequence) drift() {
	q.t.Helper()
	objects := q.objectsOf(q.pin)
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(objects)), func(key string) bool {
		return objects[key].GetKind() == "Job" || q.drifts[key] >= maxDrifts
	})
	if len(keys) == 0 {
		return
	}
	key := keys[q.rng.IntN(len(keys))]
	object := objects[key]
	q.drifts[key]++
	switch what := q.rng.IntN(4); {
	case what == 0 && q.mayDelete(object):
		for other, o := range objects {
			if isIn(o, object) {
				q.drifts[other]++
			}
		}
		q.note("delete %s: %v", key, q.intrude().Delete(q.t.Context(), object))
	case what == 1:
		err := q.patch(object, "intruder", `{"metadata":{"labels":{"`+inventory.PartOfLabel+`":null}}}`)
		q.note("take the label from %s: %v", key, err)
		q.doubt.unlabelled[key] = object.GetUID()
	case what == 2:
		q.note("take the sum from %s: %v", key, q.patch(object, "intruder", `{"metadata":{"annotations":{"`+inventory.SHA256Annotation+`":null}}}`))
	default:
		err := q.patch(object, "intruder", driftOf(object))
		q.note("change %s: %v", key, err)
		if err == nil {
			q.doubt.drifts(key, object.GetUID())
		}
	}
}

// driftOf is a patch that changes what the bundle says.
func driftOf(object *unstructured.Unstructured) string {
	switch object.GetKind() {
	case "ConfigMap":
		return `{"data":{"value":"drift"}}`
	case "Deployment":
		return `{"spec":{"replicas":1}}`
	case "ClusterRole":
		return `{"rules":[]}`
	case "Widget":
		return `{"spec":{"value":"drift"}}`
	}
	return `{"metadata":{"annotations":{"content":"drift"}}}`
}

// isIn reports whether an object goes with another one.
func isIn(object, other *unstructured.Unstructured) bool {
	switch other.GetKind() {
	case "Namespace":
		return object.GetNamespace() == other.GetName()
	case "CustomResourceDefinition":
		kind, _, _ := unstructured.NestedString(other.Object, "spec", "names", "kind")
		return object.GetKind() == kind
	}
	return false
}

// mayDelete reports whether nothing of others goes with an object.
func (q *sequence) mayDelete(object *unstructured.Unstructured) bool {
	for _, theirs := range q.theirs {
		if isIn(theirs.object, object) {
			return false
		}
	}
	return true
}

// addFields has others add fields, a label and an annotation to an object of the
// release.
func (q *sequence) addFields() {
	q.t.Helper()
	objects := q.objectsOf(q.pin)
	keys := slices.Sorted(maps.Keys(objects))
	key := keys[q.rng.IntN(len(keys))]
	object := objects[key]
	err := q.patch(object, "neighbour", addedFields(object))
	q.note("add fields to %s: %v", key, err)
	if err == nil {
		q.added[key] = object.GetUID()
	}
}

func addedFields(object *unstructured.Unstructured) string {
	const metadata = `"metadata":{"labels":{"neighbour.example.com/label":"kept"},"annotations":{"neighbour.example.com/annotation":"kept"}}`
	if object.GetKind() == "ConfigMap" {
		return `{` + metadata + `,"data":{"neighbour":"kept"}}`
	}
	return `{` + metadata + `}`
}

func (q *sequence) intrude() client.Client {
	return client.WithFieldOwner(q.workload.Client, "intruder")
}

// patch changes an object in the workload cluster as a field manager.
func (q *sequence) patch(object *unstructured.Unstructured, manager, patch string) error {
	return q.workload.Client.Patch(q.t.Context(), object, client.RawPatch(types.MergePatchType, []byte(patch)), client.FieldOwner(manager))
}

// unsettled returns what is missing from what was asked for.
func (q *sequence) unsettled() string {
	cb, err := q.clusterBundle(q.name())
	switch {
	case !q.selected && apierrors.IsNotFound(err):
		return ""
	case err != nil:
		return err.Error()
	}
	ready := meta.FindStatusCondition(cb.Status.Conditions, v1alpha1.ReadyCondition)
	if q.selected && cb.DeletionTimestamp == nil && cb.Spec.Version == versionOf(q.pin) && cb.Status.ObservedGeneration == cb.Generation &&
		ready != nil && ready.Status == "True" {
		return ""
	}
	return fmt.Sprintf("version %s, deleted %v, %+v", cb.Spec.Version, cb.DeletionTimestamp, ready)
}
