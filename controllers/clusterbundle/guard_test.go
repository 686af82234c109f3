package clusterbundle

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
)

// bundleOf returns the ClusterBundle of a set for a Cluster, after the given changes.
func bundleOf(set, cluster string, changes ...func(*v1alpha1.ClusterBundle)) *v1alpha1.ClusterBundle {
	cb := &v1alpha1.ClusterBundle{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: set + "-" + cluster, UID: "cb"},
		Spec: v1alpha1.ClusterBundleSpec{
			SetName: set, ClusterName: cluster, BundleName: "calico", Version: "1.0.0", Digest: "sha256:1",
		},
	}
	for _, change := range changes {
		change(cb)
	}
	return cb
}

// held is of an object that is being deleted: somebody's finalizer is on it.
func held(object metav1.Object) {
	object.SetFinalizers([]string{"example.com/held"})
	object.SetDeletionTimestamp(new(metav1.NewTime(noon)))
}

// another gives an object another UID: it was deleted and made again.
func another(object metav1.Object) { object.SetUID("another") }

func heldCluster(c *clusterv1.Cluster)                { held(c) }
func anotherCluster(c *clusterv1.Cluster)             { another(c) }
func heldClusterBundle(cb *v1alpha1.ClusterBundle)    { held(cb) }
func anotherClusterBundle(cb *v1alpha1.ClusterBundle) { another(cb) }
func repinned(cb *v1alpha1.ClusterBundle)             { cb.Spec.Digest = "sha256:2" }
func strippingCRDs(cb *v1alpha1.ClusterBundle) {
	cb.Spec.CRDDescriptions = v1alpha1.StripCRDDescriptions
}
func suspendedBySet(cb *v1alpha1.ClusterBundle) { cb.Spec.Suspend = new(true) }
func pausedByAnnotation(cb *v1alpha1.ClusterBundle) {
	cb.Annotations = map[string]string{clusterv1.PausedAnnotation: "true"}
}

// setNamed returns the set cni, after the given changes.
func setNamed(changes ...func(*v1alpha1.ClusterBundleSet)) *v1alpha1.ClusterBundleSet {
	set := &v1alpha1.ClusterBundleSet{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "cni", UID: "set"}}
	for _, change := range changes {
		change(set)
	}
	return set
}

// pausedSet is the set cni, which is paused.
func pausedSet() *v1alpha1.ClusterBundleSet {
	return setNamed(func(set *v1alpha1.ClusterBundleSet) {
		set.Annotations = map[string]string{clusterv1.PausedAnnotation: ""}
	})
}

func TestAGuardStopsAPass(t *testing.T) {
	t.Parallel()
	const setIsGone = "ClusterBundleSet cni is gone: the pass was ended"
	isSet := func(object client.Object) bool { _, ok := object.(*v1alpha1.ClusterBundleSet); return ok }
	tests := map[string]struct {
		given       []client.Object // that are there while the pass is under way
		wantReason  string
		wantMessage string
	}{
		"not while nothing changes": {given: []client.Object{prepared(), bundleOf("cni", "prod")}},
		"not when something else changes": {given: []client.Object{
			prepared(func(c *clusterv1.Cluster) { c.Labels = map[string]string{"a": "b"} }),
			bundleOf("cni", "prod", func(cb *v1alpha1.ClusterBundle) { cb.Status.Phase = "crds 1/2" }),
		}},
		"when CustomResourceDefinitions may be deleted or not": {
			[]client.Object{prepared(), bundleOf("cni", "prod", deletingCRDs)},
			v1alpha1.ProgressingReason, "what may be deleted is another: the pass was ended",
		},
		"when the Cluster is gone": {
			[]client.Object{bundleOf("cni", "prod")},
			v1alpha1.ProgressingReason, "Cluster prod is gone: the pass was ended",
		},
		"when the Cluster is another one": {
			[]client.Object{prepared(anotherCluster), bundleOf("cni", "prod")},
			v1alpha1.ProgressingReason, "Cluster prod is gone: the pass was ended",
		},
		"when the Cluster is being deleted": {
			[]client.Object{prepared(heldCluster), bundleOf("cni", "prod")},
			v1alpha1.ClusterNotFoundReason, "Cluster prod is being deleted",
		},
		"when the Cluster is paused": {
			[]client.Object{prepared(pausedBySpec), bundleOf("cni", "prod")},
			v1alpha1.PausedReason, "Cluster spec.paused is set to true",
		},
		"when the control plane is gone": {
			[]client.Object{prepared(notInitialized), bundleOf("cni", "prod")},
			v1alpha1.ControlPlaneNotInitializedReason, "the control plane of Cluster prod is not initialized yet",
		},
		"when the ClusterBundle is gone": {
			[]client.Object{prepared()},
			v1alpha1.ProgressingReason, "the ClusterBundle is gone: the pass was ended",
		},
		"when the ClusterBundle is another one": {
			[]client.Object{prepared(), bundleOf("cni", "prod", anotherClusterBundle)},
			v1alpha1.ProgressingReason, "the ClusterBundle is gone: the pass was ended",
		},
		"when the ClusterBundle is being deleted": {
			[]client.Object{prepared(), bundleOf("cni", "prod", heldClusterBundle)},
			v1alpha1.ProgressingReason, "the ClusterBundle is gone: the pass was ended",
		},
		"when the ClusterBundle is paused": {
			[]client.Object{prepared(), bundleOf("cni", "prod", pausedByAnnotation)},
			v1alpha1.PausedReason, "ClusterBundle has the cluster.x-k8s.io/paused annotation",
		},
		"when the set is gone": {
			[]client.Object{prepared(), bundleOf("cni", "prod")},
			v1alpha1.ProgressingReason, setIsGone,
		},
		"when the set is another one": {
			[]client.Object{prepared(), bundleOf("cni", "prod"), setNamed(func(o *v1alpha1.ClusterBundleSet) { another(o) })},
			v1alpha1.ProgressingReason, setIsGone,
		},
		"when the set is being deleted": {
			[]client.Object{prepared(), bundleOf("cni", "prod"), setNamed(func(o *v1alpha1.ClusterBundleSet) { held(o) })},
			v1alpha1.ProgressingReason, setIsGone,
		},
		"when the set is paused": {
			[]client.Object{prepared(), bundleOf("cni", "prod"), pausedSet()},
			v1alpha1.PausedReason, "ClusterBundleSet has the cluster.x-k8s.io/paused annotation",
		},
		"when the set is suspended, and its ClusterBundle not yet": {
			[]client.Object{prepared(), bundleOf("cni", "prod"), setNamed(suspendedSet)},
			v1alpha1.SuspendedReason, "ClusterBundleSet cni is suspended",
		},
		"not when the set is no longer suspended, and its ClusterBundle still": {
			given: []client.Object{prepared(), bundleOf("cni", "prod", suspendedBySet)},
		},
		"when the set edits it in another way": {
			[]client.Object{prepared(), bundleOf("cni", "prod", strippingCRDs)},
			v1alpha1.ProgressingReason, "the set edits the release in another way: the pass was ended",
		},
		"when another release is pinned": {
			[]client.Object{prepared(), bundleOf("cni", "prod", repinned)},
			v1alpha1.ProgressingReason, "another release is pinned: the pass was ended",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.wantMessage != setIsGone && !slices.ContainsFunc(tc.given, isSet) {
				tc.given = append(tc.given, setNamed())
			}
			r := reconcilerOf(t, nil, tc.given...)
			guard := r.guard(t.Context(), &scope{cluster: prepared(), set: setNamed(), clusterBundle: bundleOf("cni", "prod")})
			wantWaiting(t, guard(), tc.wantReason, tc.wantMessage)
		})
	}
}

// reading returns a client every read of which goes through get first.
func reading(c client.Client, get func(context.Context, client.Object) error) client.Client {
	return interceptor.NewClient(c.(client.WithWatch), interceptor.Funcs{
		Get: func(
			ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption,
		) error {
			if err := get(ctx, o); err != nil {
				return err
			}
			return c.Get(ctx, key, o, opts...)
		},
	})
}

func TestAGuardIsAskedWhenThePassWasEnded(t *testing.T) {
	t.Parallel()
	r := reconcilerOf(t, nil, prepared(pausedBySpec), bundleOf("cni", "prod"))
	r.Client = reading(r.Client, func(ctx context.Context, _ client.Object) error { return ctx.Err() })
	ctx, end := context.WithCancel(t.Context())
	guard := r.guard(ctx, &scope{cluster: prepared(), clusterBundle: bundleOf("cni", "prod")})
	end()
	wantWaiting(t, guard(), v1alpha1.PausedReason, "Cluster spec.paused is set to true")
}

func TestAGuardDoesNotStopAPassWhenTheCacheCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]client.Object{
		"of the Cluster": &clusterv1.Cluster{}, "of the set": &v1alpha1.ClusterBundleSet{},
		"of the ClusterBundle": &v1alpha1.ClusterBundle{},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := reconcilerOf(t, nil, prepared(), bundleOf("cni", "prod"))
			r.Client = reading(r.Client, func(_ context.Context, o client.Object) error {
				if reflect.TypeOf(o) == reflect.TypeOf(broken) {
					return errors.New("not synced")
				}
				return nil
			})
			guard := r.guard(t.Context(), &scope{cluster: prepared(), clusterBundle: bundleOf("cni", "prod")})
			wantWaiting(t, guard(), "", "")
		})
	}
}

func TestRecheckEndsThePassesThatMustStop(t *testing.T) {
	t.Parallel()
	berlin, paris := bundleOf("cni", "berlin"), bundleOf("cni", "paris")
	changed := func(name string) types.NamespacedName { return types.NamespacedName{Namespace: "default", Name: name} }
	var stop error
	mayStop := func() error { return stop }
	var r running
	r.recheck(setKey, changed("cni")) // of none
	stopped, endStopped := r.begin(t.Context(), berlin, mayStop)
	goesOn, endGoesOn := r.begin(t.Context(), paris, func() error { return nil })
	r.recheck(setKey, changed("cni"))
	if stopped.Err() != nil {
		t.Error("want a pass go on that may")
	}
	stop = errors.New("paused")
	r.recheck(clusterKey, changed("paris"))
	r.recheck(ownKey, changed("cni-paris"))
	if stopped.Err() != nil {
		t.Error("want a pass not asked about what is another's")
	}
	r.recheck(clusterKey, changed("berlin"))
	if !errors.Is(context.Cause(stopped), errPassStopped) {
		t.Errorf("want the pass ended by %v, got %v", errPassStopped, context.Cause(stopped))
	}
	if goesOn.Err() != nil {
		t.Errorf("want the other pass go on, got %v", context.Cause(goesOn))
	}
	endStopped()
	endGoesOn()
	if len(r.passes) > 0 || goesOn.Err() == nil {
		t.Errorf("want nothing left of passes that ended, got %v", r.passes)
	}
}

func TestLivingAreTheSetsOfTheCluster(t *testing.T) {
	t.Parallel()
	elsewhere := bundleOf("dns", "prod", func(cb *v1alpha1.ClusterBundle) { cb.Namespace = "elsewhere" })
	r := reconcilerOf(t, nil, bundleOf("cni", "prod"), bundleOf("csi", "prod"),
		bundleOf("gone", "prod", heldClusterBundle), bundleOf("logging", "other"), elsewhere)
	got, err := r.living(t.Context(), &scope{cluster: prepared()})
	if err != nil {
		t.Fatal(err)
	}
	want := inventory.LivingOf(
		types.NamespacedName{Namespace: "default", Name: "cni"}, types.NamespacedName{Namespace: "default", Name: "csi"})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
