package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
)

// indexer puts the indices of capi.IndexFields into a fake client.
type indexer struct{ builder *fake.ClientBuilder }

func (i indexer) IndexField(_ context.Context, object client.Object, field string, value client.IndexerFunc) error {
	i.builder.WithIndex(object, field, value)
	return nil
}

// counted is a reconciler with the number of writes that it made.
type counted struct {
	*Reconciler
	writes int
}

// reconcilerWith returns a reconciler in a management cluster with the objects.
func reconcilerWith(t *testing.T, objects ...client.Object) *counted {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clusterv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	scheme.AddKnownTypeWithName(controlPlaneKind, &unstructured.Unstructured{})
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{controlPlaneKind.GroupVersion()})
	mapper.Add(controlPlaneKind, meta.RESTScopeNamespace)
	for _, kind := range []string{"Cluster", "ClusterList"} {
		mapper.Add(clusterv1.GroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	for _, kind := range []string{"ClusterBundleSet", "ClusterBundle"} {
		mapper.Add(v1alpha1.GroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	b := fake.NewClientBuilder().WithScheme(scheme).WithRESTMapper(mapper).WithObjects(copiesOf(objects)...).WithStatusSubresource(&clusterv1.Cluster{})
	if err := capi.IndexFields(t.Context(), indexer{b}); err != nil {
		t.Fatal(err)
	}
	r := &counted{}
	r.Reconciler = &Reconciler{Client: interceptor.NewClient(b.Build(), interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			r.writes++
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			r.writes++
			return c.Patch(ctx, o, p, opts...)
		},
	})}
	return r
}

// reconcile reconciles the Cluster prod and returns its condition in one line.
func (r *counted) reconcile(t *testing.T) string {
	t.Helper()
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(prod())}); err != nil {
		t.Fatal(err)
	}
	return lineOf(r.cluster(t))
}

func (r *counted) cluster(t *testing.T) *clusterv1.Cluster {
	t.Helper()
	cluster := prod()
	if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(cluster), cluster); err != nil {
		t.Fatal(err)
	}
	return cluster
}

// lineOf returns the condition of a Cluster in one line.
func lineOf(cluster *clusterv1.Cluster) string {
	c := conditions.Get(cluster, v1alpha1.AddonBundlesReadyCondition)
	if c == nil {
		return "none"
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", c.Status, c.Reason, c.Message))
}

// prod is a Cluster that is labelled for the sets, with a condition of Cluster API.
func prod(change ...func(*clusterv1.Cluster)) *clusterv1.Cluster {
	cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{
		Namespace: "default", Name: "prod", Labels: map[string]string{"addons": "all"},
	}}
	conditions.Set(cluster, metav1.Condition{Type: clusterv1.ClusterAvailableCondition, Status: metav1.ConditionTrue, Reason: "Available"})
	for _, c := range change {
		c(cluster)
	}
	return cluster
}

// set selects what has the label of prod.
func set(name string, change ...func(*v1alpha1.ClusterBundleSet)) *v1alpha1.ClusterBundleSet {
	s := &v1alpha1.ClusterBundleSet{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	s.Spec.ClusterSelector.MatchLabels = map[string]string{"addons": "all"}
	s.Spec.Bundle.Name = name
	for _, c := range change {
		c(s)
	}
	return s
}

// delivered is the ClusterBundle of a set on prod with a Ready condition.
func delivered(set string, status metav1.ConditionStatus, message string) *v1alpha1.ClusterBundle {
	cb := &v1alpha1.ClusterBundle{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: set + "-prod"}}
	cb.Spec.SetName, cb.Spec.ClusterName, cb.Spec.BundleName = set, "prod", set
	cb.Status.Conditions = []metav1.Condition{
		{Type: v1alpha1.ReadyCondition, Status: status, Reason: "Because", Message: message},
	}
	return cb
}

func TestTheConditionSumsUpTheSetsThatSelectTheCluster(t *testing.T) {
	t.Parallel()
	const yes, no = metav1.ConditionTrue, metav1.ConditionFalse
	tests := map[string]struct {
		given []client.Object
		want  string
	}{
		"no set":                      {want: "none"},
		"a set that selects another":  {given: []client.Object{set("cni", selecting("other"))}, want: "none"},
		"a set without ClusterBundle": {given: []client.Object{set("cni")}, want: "False NotReady cni: has no ClusterBundle yet"},
		"a ClusterBundle that is Ready": {
			given: []client.Object{set("cni"), delivered("cni", yes, "")}, want: "True Ready",
		},
		"a ClusterBundle without a status, as after a move": {
			given: []client.Object{set("cni"), &v1alpha1.ClusterBundle{
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "cni-prod"},
				Spec:       v1alpha1.ClusterBundleSpec{SetName: "cni", ClusterName: "prod"},
			}},
			want: "False NotReady cni: has not begun",
		},
		"some that are not Ready, sorted, with what they wait for": {
			given: []client.Object{
				set("logging"), set("dns"), set("cni"),
				delivered("logging", no, "waits for ClusterBundleSet cni"), delivered("dns", yes, ""), delivered("cni", no, ""),
			},
			want: "False NotReady cni: Because; logging: waits for ClusterBundleSet cni",
		},
		"a ClusterBundle of a set that no longer selects the Cluster": {
			given: []client.Object{set("cni"), delivered("cni", yes, ""), set("old", selecting("other")), delivered("old", no, "is removed")},
			want:  "True Ready",
		},
		"a ClusterBundle of another Cluster": {
			given: []client.Object{set("cni"), inCluster(delivered("cni", no, ""), "test")},
			want:  "False NotReady cni: has no ClusterBundle yet",
		},
		"a set that is being deleted": {
			given: []client.Object{set("cni", deleting), delivered("cni", no, "")}, want: "none",
		},
		"a set of another namespace": {
			given: []client.Object{set("cni", func(s *v1alpha1.ClusterBundleSet) { s.Namespace = "other" })}, want: "none",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := reconcilerWith(t, append(test.given, prod())...)
			if got := r.reconcile(t); got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}

func selecting(label string) func(*v1alpha1.ClusterBundleSet) {
	return func(s *v1alpha1.ClusterBundleSet) { s.Spec.ClusterSelector.MatchLabels["addons"] = label }
}

func deleting(s *v1alpha1.ClusterBundleSet) {
	s.DeletionTimestamp, s.Finalizers = new(metav1.Now()), []string{"example.com/held"}
}

func inCluster(cb *v1alpha1.ClusterBundle, cluster string) *v1alpha1.ClusterBundle {
	cb.Spec.ClusterName = cluster
	return cb
}

func TestAMessageIsBoundedAndCountsTheOthers(t *testing.T) {
	t.Parallel()
	given := []client.Object{prod()}
	for i := range 9 {
		name := fmt.Sprintf("%s-%d", strings.Repeat("s", 61), i)
		given = append(given, set(name), delivered(name, metav1.ConditionFalse, strings.Repeat("é\n", 2000)))
	}
	got := reconcilerWith(t, given...).reconcile(t)
	if !strings.HasSuffix(got, "; and 5 more") || len(got) > 1100 || strings.Contains(got, "\n") {
		t.Errorf("want one line of about 1 KiB that counts the others, got %d bytes: %s", len(got), got)
	}
}

func TestWhatIsAsItShouldBeIsNotWritten(t *testing.T) {
	t.Parallel()
	r := reconcilerWith(t, prod(), set("cni"), delivered("cni", metav1.ConditionFalse, "waits"))
	first := r.reconcile(t)
	cluster := r.cluster(t)
	cluster.Generation++ // somebody changed the spec
	cluster.Spec.ClusterNetwork.APIServerPort = 6443
	if err := r.Client.Update(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
	if again := r.reconcile(t); again != first || r.writes != 1 {
		t.Errorf("want one write of %q, got %d, and %q", first, r.writes, again)
	}
}

func TestConditionsOfOthersAreKept(t *testing.T) {
	t.Parallel()
	r := reconcilerWith(t, prod(), set("cni"))
	r.reconcile(t)
	available := conditions.Get(prod(), clusterv1.ClusterAvailableCondition)
	if diff := cmp.Diff(available.Reason, conditions.Get(r.cluster(t), clusterv1.ClusterAvailableCondition).Reason); diff != "" {
		t.Error(diff)
	}
	if err := r.Client.Delete(t.Context(), set("cni")); err != nil {
		t.Fatal(err)
	}
	if got := r.reconcile(t); got != "none" {
		t.Errorf("want it removed when no set selects the Cluster, got %q", got)
	}
	if conditions.Get(r.cluster(t), clusterv1.ClusterAvailableCondition) == nil {
		t.Error("the condition of Cluster API is gone")
	}
}

// The cache shows the Cluster as it was before somebody else wrote a condition.
func TestAConditionThatWasWrittenMeanwhileIsNotLost(t *testing.T) {
	t.Parallel()
	r := reconcilerWith(t, prod(), set("cni"))
	stale := r.cluster(t)
	newer := stale.DeepCopy()
	conditions.Set(newer, metav1.Condition{Type: "Paused", Status: metav1.ConditionFalse, Reason: "NotPaused"})
	if err := r.Client.Status().Update(t.Context(), newer); err != nil {
		t.Fatal(err)
	}
	got, err := result(r.setCondition(t.Context(), stale, summary([]addon{{set: set("cni")}}, "")))
	if err != nil || got.RequeueAfter == 0 {
		t.Errorf("want it to be looked at again soon, got %v, %v", got, err)
	}
	if conditions.Get(r.cluster(t), "Paused") == nil {
		t.Error("the condition that was written meanwhile is gone")
	}
}

func TestNothingIsWrittenToAClusterThatIsPausedOrBeingDeleted(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*clusterv1.Cluster){
		"paused by its spec": func(c *clusterv1.Cluster) { c.Spec.Paused = new(true) },
		"paused by annotation": func(c *clusterv1.Cluster) {
			c.Annotations = map[string]string{clusterv1.PausedAnnotation: ""}
		},
		"being deleted": func(c *clusterv1.Cluster) {
			c.DeletionTimestamp, c.Finalizers = new(metav1.Now()), []string{clusterv1.ClusterFinalizer}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := reconcilerWith(t, prod(change), set("cni"))
			if got := r.reconcile(t); got != "none" || r.writes != 0 {
				t.Errorf("want nothing written, got %q and %d writes", got, r.writes)
			}
		})
	}
}

func TestAClusterOfAnotherManagerIsNotWrittenAndItsSetsDoNotCount(t *testing.T) {
	t.Parallel()
	cluster := prod(func(c *clusterv1.Cluster) { c.Labels[clusterv1.WatchLabel] = "one" })
	ours := set("cni", func(s *v1alpha1.ClusterBundleSet) { s.Labels = map[string]string{clusterv1.WatchLabel: "one"} })
	for filter, want := range map[capi.Filter]string{"one": "True Ready", "two": "none"} {
		r := reconcilerWith(t, cluster.DeepCopy(), ours, set("theirs"), delivered("cni", metav1.ConditionTrue, ""))
		r.Filter = filter
		if got := r.reconcile(t); got != want {
			t.Errorf("%s: want %q, got %q", filter, want, got)
		}
	}
}

func TestAClusterThatIsGoneIsNoError(t *testing.T) {
	t.Parallel()
	r := reconcilerWith(t)
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(prod())}); err != nil {
		t.Error(err)
	}
}

// copiesOf returns copies of objects: a fake client writes to those that it is given, and
// tests that run at the same time may have the same.
func copiesOf(objects []client.Object) []client.Object {
	copies := make([]client.Object, len(objects))
	for i, object := range objects {
		copies[i] = object.DeepCopyObject().(client.Object)
	}
	return copies
}
