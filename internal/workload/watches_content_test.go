package workload

import (
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// contentOf returns the target of the same objects of which only the content matters.
func contentOf(targets []rollout.Target) []rollout.Target {
	targets = slices.Clone(targets)
	for i := range targets {
		targets[i].Content = true
	}
	return targets
}

// managed returns an entry of the managed fields.
func managed(manager string, operation metav1.ManagedFieldsOperationType, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: operation, FieldsV1: metav1.NewFieldsV1(fields), Time: &metav1.Time{},
	}
}

// appliedMember returns a member of set a that two sets applied and others changed.
func appliedMember() *metav1.PartialObjectMetadata {
	object := objectOf("a")
	object.UID = "first"
	object.Annotations = map[string]string{
		inventory.SHA256Annotation: "1", "0123." + inventory.SHA256Annotation: "2", "example.com/other": "3",
	}
	object.ManagedFields = []metav1.ManagedFieldsEntry{
		managed("caapb.default.a", metav1.ManagedFieldsOperationApply, `{"f:spec":{"f:replicas":{}}}`),
		managed("caapb.default.b", metav1.ManagedFieldsOperationApply, `{"f:spec":{"f:paused":{}}}`),
		managed("kubectl-edit", metav1.ManagedFieldsOperationUpdate, `{"f:metadata":{}}`),
	}
	return object
}

func TestOnlyWhatASetAppliedIsContent(t *testing.T) {
	t.Parallel()
	type object = metav1.PartialObjectMetadata
	tests := map[string]struct {
		given func(*object)
		want  bool
	}{
		"nothing":                   {func(*object) {}, false},
		"the resource version":      {func(o *object) { o.ResourceVersion, o.Generation = "2", 2 }, false},
		"an annotation of others":   {func(o *object) { o.Annotations["example.com/other"] = "changed" }, false},
		"a label of others":         {func(o *object) { o.Labels["other"] = "new" }, false},
		"a finalizer":               {func(o *object) { o.Finalizers = []string{"example.com/wait"} }, false},
		"the time of a set's apply": {func(o *object) { o.ManagedFields[0].Time = &metav1.Time{Time: time.Unix(9, 0)} }, false},
		"the order of the managers": {func(o *object) { slices.Reverse(o.ManagedFields) }, false},
		"fields of others":          {func(o *object) { o.ManagedFields[2].FieldsV1.SetRawString(`{"f:spec":{}}`) }, false},
		"a status": {func(o *object) {
			status := managed("kubelet", metav1.ManagedFieldsOperationUpdate, `{"f:status":{}}`)
			status.Subresource = "status"
			o.ManagedFields = append(o.ManagedFields, status)
		}, false},
		"a status that a set applied": {func(o *object) {
			status := managed("caapb.default.a", metav1.ManagedFieldsOperationApply, `{"f:status":{}}`)
			status.Subresource = "status"
			o.ManagedFields = append(o.ManagedFields, status)
		}, false},
		"a parent that was updated": {func(o *object) {
			o.ManagedFields = append(o.ManagedFields, managed("caapb", metav1.ManagedFieldsOperationUpdate, `{"f:data":{}}`))
		}, false},
		"a manager with a name like ours": {func(o *object) {
			o.ManagedFields = append(o.ManagedFields, managed("caapbx", metav1.ManagedFieldsOperationApply, `{"f:data":{}}`))
		}, false},

		"what was applied":              {func(o *object) { o.Annotations[inventory.SHA256Annotation] = "changed" }, true},
		"no mark of it":                 {func(o *object) { delete(o.Annotations, inventory.SHA256Annotation) }, true},
		"what another set applied":      {func(o *object) { o.Annotations["0123."+inventory.SHA256Annotation] = "changed" }, true},
		"fields of the set":             {func(o *object) { o.ManagedFields[0].FieldsV1.SetRawString(`{"f:spec":{}}`) }, true},
		"fields of the provider itself": {func(o *object) { o.ManagedFields[0].Manager = inventory.FieldManager }, true},
		"no fields of another set":      {func(o *object) { o.ManagedFields = slices.Delete(o.ManagedFields, 1, 2) }, true},
		"no managed fields":             {func(o *object) { o.ManagedFields = nil }, true},
		"it is being deleted":           {func(o *object) { o.DeletionTimestamp = &metav1.Time{} }, true},
		"another object":                {func(o *object) { o.UID = "second" }, true},
		"an object of another name":     {func(o *object) { o.Name = "other" }, true},
		"one in another namespace":      {func(o *object) { o.Namespace = "other" }, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b, client := newBubble(t), &Client{}
				every := membersOf(t, "a")
				content := contentOf(every)
				b.Set(calico, client, content)
				b.Set(logging, client, every)
				afterStart()
				b.wantTold(t, "the start", both)
				stream := b.wantRunning(t, "both", 1)[0]
				stream.send(watch.Modified, appliedMember())
				synctest.Wait()
				b.wantTold(t, "an object that nobody knows", both)
				b.Look(calico, client)

				changed := appliedMember()
				tc.given(changed)
				stream.send(watch.Modified, changed)
				synctest.Wait()
				want := map[types.NamespacedName]int{logging: 1}
				if tc.want {
					want = both
				}
				b.wantTold(t, "the change", want)
				if got := b.Look(calico, client)(content[0]); got == tc.want {
					t.Errorf("quiet: want %t, got %t", !tc.want, got)
				}
			})
		})
	}
}

func TestAnEventGoesToEachSetThatAppliedItsObject(t *testing.T) {
	t.Parallel()
	mine, theirs := inventory.ParentOf("default", "calico"), inventory.ParentOf("default", "logging")
	tests := map[string]struct {
		given []string // field managers
		want  map[types.NamespacedName]int
	}{
		"the set of the label":            {nil, map[types.NamespacedName]int{logging: 1}},
		"a set that manages fields of it": {[]string{mine.FieldManager()}, both},
		"both":                            {[]string{mine.FieldManager(), theirs.FieldManager()}, both},
		"a set that nobody watches":       {[]string{"caapb.default.other"}, map[types.NamespacedName]int{logging: 1}},
		"no set":                          {[]string{"caapb", "kubectl"}, map[types.NamespacedName]int{logging: 1}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b, client := newBubble(t), &Client{}
				b.Set(calico, client, membersOf(t, mine.ID()))
				b.Set(logging, client, membersOf(t, theirs.ID()))
				afterStart()
				b.wantTold(t, "the start", both)
				object := objectOf(theirs.ID())
				for _, manager := range tc.given {
					object.ManagedFields = append(object.ManagedFields,
						managed(manager, metav1.ManagedFieldsOperationApply, `{}`))
				}
				b.wantRunning(t, "two sets", 1)[0].send(watch.Modified, object)
				synctest.Wait()
				b.wantTold(t, "the event", tc.want)
			})
		})
	}
}

func TestWhatIsDeletedIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.Set(calico, &Client{}, contentOf(membersOf(t, "a")))
		afterStart()
		b.wantTold(t, "the start", onlyCalico)
		stream := b.wantRunning(t, "one key", 1)[0]
		for _, kind := range []watch.EventType{watch.Added, watch.Deleted, watch.Deleted, watch.Added} {
			stream.send(kind, appliedMember())
			synctest.Wait()
			b.wantTold(t, string(kind), onlyCalico)
		}
	})
}

func TestAStreamThatBeginsAnewKnowsNoContent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.Set(calico, &Client{}, contentOf(membersOf(t, "a")))
		afterStart()
		b.wantRunning(t, "one key", 1)[0].send(watch.Modified, appliedMember())
		synctest.Wait()
		b.server.running()[0].end(io.EOF)
		afterRestart()
		b.wantTold(t, "two starts and an event", map[types.NamespacedName]int{calico: 3})
		b.wantRunning(t, "one key", 1)[0].send(watch.Modified, appliedMember())
		synctest.Wait()
		b.wantTold(t, "it may have been another meanwhile", onlyCalico)
	})
}

func TestOneKeyMayWantContentAndEveryEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, client := newBubble(t), &Client{}
		every := membersOf(t, "a")
		content := contentOf(every)
		b.Set(calico, client, slices.Concat(every, content))
		afterStart()
		stream := b.wantRunning(t, "both", 1)[0]
		stream.send(watch.Modified, appliedMember())
		synctest.Wait()
		b.wantTold(t, "the start, and one event once", map[types.NamespacedName]int{calico: 2})
		b.Look(calico, client)
		stream.send(watch.Modified, appliedMember())
		synctest.Wait()
		quiet := b.Look(calico, client)
		if !quiet(content[0]) || quiet(every[0]) {
			t.Errorf("want the content quiet and the rest not, got %t and %t", quiet(content[0]), quiet(every[0]))
		}
		b.wantTold(t, "the event", onlyCalico)

		b.Set(calico, client, content)
		stream.send(watch.Modified, appliedMember())
		synctest.Wait()
		b.wantTold(t, "every event is no longer wanted", none)
	})
}

// deployment applies a Deployment of a set.
func deployment(t testing.TB, c *Client, namespace, part string) {
	t.Helper()
	resource, _ := manifest.BuiltIn("apps", "v1", "Deployment")
	ref := manifest.Ref{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: namespace, Name: "agent"}
	body := fmt.Appendf(nil, `{"apiVersion":"apps/v1","kind":"Deployment",
		"metadata":{"name":"agent","namespace":%q,"labels":{%q:%q}},
		"spec":{"selector":{"matchLabels":{"app":"agent"}},"template":{
			"metadata":{"labels":{"app":"agent"}},"spec":{"containers":[{"name":"agent","image":"agent"}]}}}}`,
		namespace, inventory.PartOfLabel, part)
	if _, err := c.Apply(t.Context(), resource, ref, body, "caapb.default.calico"); err != nil {
		t.Fatal(err)
	}
}

// TestContentOfARealObject is about what a real API server changes in an object when
// something happens to it.
func TestContentOfARealObject(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns, c, told := testenv.NewNamespace(t, w.APIServer), newClient(t, w.Config), &counted{}
	resource, _ := manifest.BuiltIn("apps", "v1", "Deployment")
	every := []rollout.Target{{Resource: resource, Label: inventory.PartOfLabel + "=" + ns}}
	content := contentOf(every)
	watches := NewWatches(t.Context(), told.notify)
	watches.Set(calico, c, content)
	watches.Set(logging, c, every)
	told.waitForAll(t, []types.NamespacedName{calico, logging}, 1)
	deployment(t, c, ns, ns)
	told.waitForAll(t, []types.NamespacedName{calico, logging}, 2)

	live := read(t, w.APIServer, ns, "agent", &appsv1.Deployment{})
	update := func() error { return w.Client.Update(t.Context(), live) }
	steps := []struct {
		name      string
		given     func() error
		wantQuiet bool
	}{
		{"a status", func() error {
			live.Status.Replicas = 1
			return w.Client.Status().Update(t.Context(), live)
		}, true},
		{"a field that nobody applied", func() error {
			live.Spec.Paused = true
			return update()
		}, true},
		{"a field that was applied", func() error {
			live.Spec.Template.Spec.Containers[0].Image = "changed"
			return update()
		}, false},
		{"another status", func() error {
			live.Status.Replicas = 2
			return w.Client.Status().Update(t.Context(), live)
		}, true},
		{"the label", func() error {
			delete(live.Labels, inventory.PartOfLabel)
			return update()
		}, false},
	}
	for i, step := range steps {
		watches.Look(calico, c)
		if err := step.given(); err != nil {
			t.Fatal(err)
		}
		told.waitForAll(t, []types.NamespacedName{logging}, 3+i)
		if got := watches.Look(calico, c)(content[0]); got != step.wantQuiet {
			t.Errorf("%s: want the content quiet %t, got %t", step.name, step.wantQuiet, got)
		}
	}
	told.waitForAll(t, []types.NamespacedName{calico}, 4)
	if got := told.of(calico); got != 4 {
		t.Errorf("want to be told of the start, the creation and two changes, got %d notifications", got)
	}
}
