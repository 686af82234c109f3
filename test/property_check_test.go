package test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// doubt is which objects may not be as they should.
//
// They may be left with what others changed: a change that happens while a release is
// in progress, and that the manager forgets before the release is complete, is taken
// as applied. They may be left behind: one that others took the label from is no
// member, and is not removed if it leaves the release before it is repaired.
type doubt struct {
	// isInProgress is true unless the release was complete once and is still pinned.
	isInProgress bool
	pending      map[string]types.UID
	forgotten    map[string]types.UID
	left         map[string]types.UID
	unlabelled   map[string]types.UID
	// excused are the objects that were found so, with the difference.
	excused map[string][]string
}

func newDoubt() doubt {
	return doubt{
		pending: make(map[string]types.UID), forgotten: make(map[string]types.UID), left: make(map[string]types.UID),
		unlabelled: make(map[string]types.UID), excused: make(map[string][]string),
	}
}

// begins notes that another state was asked for. Of what is not in the next release
// nothing is remembered.
func (d *doubt) begins() {
	d.isInProgress = true
	d.forgets()
	maps.Copy(d.left, d.forgotten)
}

// drifts notes a change.
func (d *doubt) drifts(key string, uid types.UID) { d.pending[key] = uid }

// forgets notes that the manager may have forgotten what it knew.
func (d *doubt) forgets() {
	maps.Copy(d.forgotten, d.pending)
	if d.isInProgress {
		maps.Copy(d.left, d.pending)
	}
}

// settled notes that the release is complete.
func (d *doubt) settled() {
	d.isInProgress = false
	clear(d.pending)
	clear(d.forgotten)
}

// foreignObject is an object of others as they made it.
type foreignObject struct {
	object *unstructured.Unstructured
	uid    types.UID
}

// beforeHand makes the Namespace of others that the bundle brings objects to.
func (q *sequence) beforeHand() {
	q.t.Helper()
	q.theirs = make(map[string]*foreignObject)
	q.make(namespaceNamed(q.id + "-theirs"))
}

// neighbours makes objects of others beside ours, of the same kinds. They are where
// nobody may remove them: what is in a Namespace or of a kind that goes with the
// bundle goes as well.
func (q *sequence) neighbours() {
	q.t.Helper()
	spaces := []string{q.id + "-theirs"}
	if q.crds == v1alpha1.RetainCRDPolicy {
		spaces = append(spaces, q.id)
		q.make(sequenceObject(groupOf(q.id)+"/v1", "Widget", "", "neighbour", "theirs", "spec: {value: theirs}"))
	}
	q.make(sequenceObject("rbac.authorization.k8s.io/v1", "ClusterRole", "", q.id+"-neighbour", "theirs", "rules: []"))
	q.make(strings.ReplaceAll(sequenceCRD(q.id+"-neighbour", "Widget", "Cluster"), "same", "theirs"))
	for _, space := range spaces {
		q.make(sequenceObject("v1", "ConfigMap", space, "neighbour", "theirs", "data: {value: theirs}"))
		q.make(sequenceObject("v1", "ServiceAccount", space, "neighbour", "theirs"))
		q.make(sequenceObject("v1", "Service", space, "neighbour", "theirs", "spec: {ports: [{port: 80}]}"))
		// With a label that somebody copied.
		copied := sequenceObject("v1", "ConfigMap", space, "copied", "theirs", "data: {value: theirs}")
		q.make(strings.Replace(copied, "metadata: {", "metadata: {labels: {"+inventory.PartOfLabel+": "+q.parent.ID()+"}, ", 1))
	}
}

// make makes an object of others.
func (q *sequence) make(manifest string) {
	q.t.Helper()
	object := &unstructured.Unstructured{}
	q.decode(manifest, &object.Object)
	q.Expect(q.workload.Client.Create(q.t.Context(), object, client.FieldOwner("neighbour"))).To(Succeed())
	q.theirs[keyOf(object)] = &foreignObject{object: object, uid: object.GetUID()}
}

// wrong returns what is not as it is to be in the end.
func (q *sequence) wrong() []string {
	q.t.Helper()
	if unsettled := q.unsettled(); unsettled != "" {
		return []string{unsettled}
	}
	want := map[string]*unstructured.Unstructured{}
	if q.selected {
		want = q.objectsOf(q.pin)
	}
	found := q.wrongMembers(want)
	for _, key := range slices.Sorted(maps.Keys(want)) {
		found = append(found, q.wrongObject(key, want[key])...)
	}
	return slices.Concat(found, q.wrongParent(), q.wrongNeighbours(), q.wrongFields())
}

// wrongObject returns how an object differs from its manifest.
func (q *sequence) wrongObject(key string, want *unstructured.Unstructured) []string {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(want.GroupVersionKind())
	if err := q.workload.Client.Get(q.t.Context(), client.ObjectKeyFromObject(want), live); err != nil {
		return []string{key + ": " + err.Error()}
	}
	diff := differs("", want.Object, live.Object)
	if len(diff) > 0 && q.doubt.left[key] == live.GetUID() {
		q.doubt.excused[key] = diff
		return nil
	}
	for i := range diff {
		diff[i] = key + diff[i]
	}
	return diff
}

// differs returns where what is wanted is not in what there is.
func differs(at string, want, got any) []string {
	switch want := want.(type) {
	case map[string]any:
		got, _ := got.(map[string]any)
		var all []string
		for _, key := range slices.Sorted(maps.Keys(want)) {
			all = append(all, differs(at+"."+key, want[key], got[key])...)
		}
		return all
	case []any:
		got, _ := got.([]any)
		if len(got) != len(want) {
			return []string{fmt.Sprintf("%s: %v, want %v", at, got, want)}
		}
		var all []string
		for i := range want {
			all = append(all, differs(fmt.Sprintf("%s[%d]", at, i), want[i], got[i])...)
		}
		return all
	}
	if fmt.Sprint(want) == fmt.Sprint(got) {
		return nil
	}
	return []string{fmt.Sprintf("%s: %v, want %v", at, got, want)}
}

// kinds are those of all releases.
func (q *sequence) kinds() map[schema.GroupVersionKind]bool {
	kinds := make(map[schema.GroupVersionKind]bool)
	for n := range sequenceReleases {
		for _, object := range q.objectsOf(n + 1) {
			kinds[object.GroupVersionKind()] = true
		}
	}
	return kinds
}

// members returns the members of the inventory, and all objects that have fields
// of the set, but those that others took the label from.
func (q *sequence) members() (members, touched map[string]bool) {
	q.t.Helper()
	members, touched = make(map[string]bool), make(map[string]bool)
	for kind := range q.kinds() {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		err := q.workload.Client.List(q.t.Context(), list)
		if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
			continue
		}
		q.Expect(err).NotTo(HaveOccurred())
		for _, object := range list.Items {
			if q.parent.IsMember(&object) {
				members[keyOf(&object)] = true
			}
			if slices.ContainsFunc(object.GetManagedFields(), func(e metav1.ManagedFieldsEntry) bool { return e.Manager == q.parent.FieldManager() }) {
				touched[keyOf(&object)] = members[keyOf(&object)] || q.doubt.unlabelled[keyOf(&object)] != object.GetUID()
			}
		}
	}
	return members, touched
}

// wrongMembers returns the members that there are and that there should be.
func (q *sequence) wrongMembers(want map[string]*unstructured.Unstructured) []string {
	members, touched := q.members()
	wanted := make(map[string]bool)
	for key := range want {
		wanted[key] = true
	}
	for key := range members {
		// What stays of earlier releases by the policy.
		if q.crds == v1alpha1.RetainCRDPolicy && (strings.HasPrefix(key, "CustomResourceDefinition") || strings.HasPrefix(key, "Namespace")) {
			wanted[key] = true
		}
	}
	var found []string
	if diff := cmp.Diff(wanted, members); diff != "" {
		found = append(found, "members (-want +got): "+diff)
	}
	maps.DeleteFunc(touched, func(_ string, counts bool) bool { return !counts })
	if diff := cmp.Diff(members, touched); diff != "" {
		found = append(found, "objects with fields of the set (-members +got): "+diff)
	}
	return found
}

// wrongParent returns what is wrong with the parent.
func (q *sequence) wrongParent() []string {
	live, err := q.live(q.workload, "v1", "ConfigMap", inventory.Namespace, q.parent.Name())
	switch {
	case apierrors.IsNotFound(err) && !q.selected:
		return nil
	case err != nil:
		return []string{"parent: " + err.Error()}
	case !q.selected:
		return []string{"the parent is still there"}
	}
	members, _ := q.members()
	kinds := make(map[string]bool)
	for key := range members {
		kinds[strings.Fields(key)[0]] = true
	}
	got := strings.Split(live.GetAnnotations()["applyset.kubernetes.io/contains-group-kinds"], ",")
	if q.retained && !slices.Contains(got, "Namespace") {
		delete(kinds, "Namespace")
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(kinds)), got); diff != "" {
		return []string{"kinds of the parent (-want +got): " + diff}
	}
	return nil
}

// wrongNeighbours returns which objects of others are not as they made them.
func (q *sequence) wrongNeighbours() []string {
	var found []string
	for _, key := range slices.Sorted(maps.Keys(q.theirs)) {
		theirs := q.theirs[key]
		live := &unstructured.Unstructured{}
		live.SetGroupVersionKind(theirs.object.GroupVersionKind())
		err := q.workload.Client.Get(q.t.Context(), client.ObjectKeyFromObject(theirs.object), live)
		if err != nil {
			found = append(found, "of others: "+err.Error())
			continue
		}
		if diff := cmp.Diff(essence(theirs.object), essence(live)); diff != "" {
			found = append(found, "of others: "+key+" (-want +got): "+diff)
		}
	}
	return found
}

// essence is an object without what API servers and controllers keep in it.
func essence(object *unstructured.Unstructured) map[string]any {
	object = object.DeepCopy()
	object.SetManagedFields(nil)
	object.SetResourceVersion("")
	delete(object.Object, "status")
	return object.Object
}

// wrongFields returns which fields that others added to our objects are not there.
func (q *sequence) wrongFields() []string {
	var found []string
	for _, key := range slices.Sorted(maps.Keys(q.added)) {
		live, err := q.liveOf(key)
		if err != nil || live.GetUID() != q.added[key] {
			continue // it was removed meanwhile
		}
		added := &unstructured.Unstructured{}
		if err := added.UnmarshalJSON([]byte(`{"kind":"` + live.GetKind() + `",` + addedFields(live)[1:])); err != nil {
			found = append(found, err.Error())
			continue
		}
		for _, diff := range differs("", added.Object, live.Object) {
			found = append(found, "added by others: "+key+diff)
		}
	}
	return found
}

var errNoRelease = errors.New("no release has it")

// liveOf reads the object of any release with that key.
func (q *sequence) liveOf(key string) (*unstructured.Unstructured, error) {
	for n := range sequenceReleases {
		if object, ok := q.objectsOf(n + 1)[key]; ok {
			live := &unstructured.Unstructured{}
			live.SetGroupVersionKind(object.GroupVersionKind())
			return live, q.workload.Client.Get(q.t.Context(), client.ObjectKeyFromObject(object), live)
		}
	}
	return nil, errNoRelease
}

// trespasses returns the writes to objects that are in no release, and those that
// remove what is to be retained.
func (q *sequence) trespasses() []string {
	ours := map[string]bool{
		"configmaps " + inventory.Namespace + "/" + q.parent.Name(): true,
		"configmaps " + inventory.Namespace + "/":                   true, // a new parent: the path has no name
	}
	for n := range sequenceReleases {
		for _, object := range q.objectsOf(n + 1) {
			plural, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
			ours[fmt.Sprintf("%s %s/%s", plural.Resource, object.GetNamespace(), object.GetName())] = true
		}
	}
	return describe(slices.DeleteFunc(q.seen.Writes(), func(r testenv.Request) bool {
		if r.Verb == "delete" && q.crds == v1alpha1.RetainCRDPolicy && (r.Resource == "customresourcedefinitions" || r.Resource == "namespaces") {
			return false
		}
		namespace := r.Namespace
		if r.Resource == "namespaces" {
			namespace = ""
		}
		return ours[fmt.Sprintf("%s %s/%s", r.Resource, namespace, r.Name)]
	}))
}

// describe returns requests for people.
func describe(requests []testenv.Request) []string {
	lines := make([]string, len(requests))
	for i, r := range requests {
		lines[i] = fmt.Sprintf("%s %s %s/%s: %d", r.Verb, r.Resource, r.Namespace, r.Name, r.Status)
	}
	return lines
}
