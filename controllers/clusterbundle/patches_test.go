package clusterbundle

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

// patched has an object of the bundle get the host of the control plane.
func patched(cb *v1alpha1.ClusterBundle) {
	cb.Spec.Patches = []v1alpha1.Patch{{
		Name: "host", Selector: v1alpha1.PatchSelector{APIVersion: "v1", Kind: "ConfigMap"},
		JSONPatches: []v1alpha1.JSONPatch{{
			Op: "add", Path: "/data/host", ValueFrom: &v1alpha1.JSONPatchValue{Variable: "controlPlaneEndpoint.host"},
		}},
	}}
}

// patchedWrongly has a patch of a variable that no Cluster has.
func patchedWrongly(cb *v1alpha1.ClusterBundle) {
	patched(cb)
	cb.Spec.Patches[0].JSONPatches[0].ValueFrom.Variable = "nothing"
}

func at(host string) func(*clusterv1.Cluster) {
	return func(c *clusterv1.Cluster) {
		c.Spec.ControlPlaneEndpoint = clusterv1.APIEndpoint{Host: host, Port: 6443}
	}
}

// contentFor returns the content of release 1.0.0 that a Cluster gets.
func contentFor(t *testing.T, cb *v1alpha1.ClusterBundle, cluster *clusterv1.Cluster) v1alpha1.Digest {
	t.Helper()
	s := &scope{clusterBundle: cb, cluster: cluster}
	if err := (&Reconciler{}).evaluatePatches(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return s.changes.Over(cb.Spec.Digest)
}

func TestPatchesAreRefusedWhereTheFeatureIsOff(t *testing.T) {
	t.Parallel()
	r := &Reconciler{NeverPatches: true}
	err := r.evaluatePatches(t.Context(), &scope{clusterBundle: bundleOf("cni", "prod", patched), cluster: prepared(at("a.example.com"))})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.FeatureDisabledReason, "the feature gate ClusterPatches")
	if err := r.evaluatePatches(t.Context(), &scope{clusterBundle: bundleOf("cni", "prod"), cluster: prepared()}); err != nil {
		t.Errorf("want a set without patches let alone, got %v", err)
	}
}

func TestPatchesAreReportedWhateverIsComplete(t *testing.T) {
	t.Parallel()
	away := opened{err: fault.Retry(v1alpha1.FetchFailedReason, errors.New("HTTP 503"))}
	given, wrong := bundleOf("cni", "prod", patched), bundleOf("cni", "prod", patchedWrongly)
	a, b := prepared(at("a.example.com")), prepared(at("b.example.com"))
	if contentFor(t, given, a) == contentFor(t, given, b) || contentFor(t, given, a) == given.Spec.Digest {
		t.Error("want another content for another value")
	}
	for name, test := range map[string]struct {
		given         *v1alpha1.ClusterBundle
		givenCluster  *clusterv1.Cluster
		givenComplete v1alpha1.Digest
		want          string
	}{
		"what is complete stays Ready while its source is away": {given, a, contentFor(t, given, a), "True Ready"},
		"unless a value has changed since":                      {given, b, contentFor(t, given, a), "False FetchFailed"},
		"unless there was no patch then":                        {given, a, "sha256:1", "False FetchFailed"},
		"a value that is not set yet":                           {given, prepared(), contentFor(t, given, a), "False VariableNotSet"},
		"a patch that is wrong":                                 {wrong, a, "sha256:1", "False PatchFailed"},
		"a patch that is wrong, of what was applied once": {
			bundleOf("cni", "prod", patchedWrongly, appliedOnce), a, "sha256:1", "True Ready",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := reconcilerOf(t, completeParent(t, test.givenComplete), test.given.DeepCopy(), test.givenCluster, calico("1.0.0"))
			r.Library = away
			key := client.ObjectKeyFromObject(test.given)
			_, _ = r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}) // the status shows what it found
			after := &v1alpha1.ClusterBundle{}
			if err := r.Client.Get(t.Context(), key, after); err != nil {
				t.Fatal(err)
			}
			if got := readyOf(after); got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}

func TestAPassEndsWhenThePatchesAreOthers(t *testing.T) {
	t.Parallel()
	began, now := bundleOf("cni", "prod", patched), bundleOf("cni", "prod", patched)
	if got := changeOf(began.Spec, now.Spec); got != "" {
		t.Errorf("want no change, got %q", got)
	}
	now.Spec.Variables = []v1alpha1.PatchVariable{{Name: "a", Value: &runtime.RawExtension{Raw: []byte("1")}}}
	if changeOf(began.Spec, now.Spec) == "" || changeOf(began.Spec, bundleOf("cni", "prod").Spec) == "" {
		t.Error("want a change")
	}
}

func TestAClusterWakesOnlyWhatHasPatches(t *testing.T) {
	t.Parallel()
	cluster := prepared(at("a.example.com"))
	plain, other := bundleOf("dns", "prod"), bundleOf("cni", "other", patched)
	r := reconcilerOf(t, nil, bundleOf("cni", "prod", patched), plain, other)
	var names []string
	for _, request := range r.toPatched(t.Context(), cluster) {
		names = append(names, request.Name)
	}
	if diff := cmp.Diff([]string{"cni-prod"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	heartbeat := prepared(at("a.example.com"), func(c *clusterv1.Cluster) { c.Status.Phase = "Provisioned" })
	for name, test := range map[string]struct {
		given *clusterv1.Cluster
		want  bool
	}{"a heartbeat": {heartbeat, false}, "another value": {prepared(at("b.example.com")), true}} {
		if got := variablesChanged().Update(event.UpdateEvent{ObjectOld: cluster, ObjectNew: test.given}); got != test.want {
			t.Errorf("%s: want it let through: %v", name, test.want)
		}
	}
}
