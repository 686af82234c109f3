package placement

import (
	"fmt"
	"testing"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// topologyOf makes the topology of a Cluster ask for a version of Kubernetes.
func topologyOf(t *testing.T, r *Reconciler, version string) {
	t.Helper()
	cluster := &clusterv1.Cluster{}
	if err := r.Client.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "prod"}, cluster); err != nil {
		t.Fatal(err)
	}
	cluster.Spec.Topology.Version = version
	if err := r.Client.Update(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
}

func TestAClusterBundleSaysWhetherItsReleaseAdmitsTheUpgradeThatIsAskedFor(t *testing.T) {
	t.Parallel()
	bundle := calico("1.0.0", "1.1.0")
	bundle.Spec.Releases[0].Kubernetes, bundle.Spec.Releases[1].Kubernetes = "<1.36.0-0", ">=1.35.0-0 <1.37.0-0"
	holding := theSet("cni")
	holding.Spec.KubernetesUpgrades = v1alpha1.HoldKubernetesUpgrades
	holding.Spec.Bundle.Version = "1.0.0"
	off := reconcilerWith(t, always{version: "v1.35.4"}, holding.DeepCopy(), theCluster("prod"), bundle.DeepCopy())
	off.NeverHolds = true
	topologyOf(t, off, "v1.36.0")
	if _, err := off.place(t.Context(), Placement{"default", "cni", "prod"}); err != nil || pinned(t, off).KubernetesUpgrade != nil {
		t.Errorf("want no upgrade looked at where the feature is off, got %v, %+v", err, pinned(t, off))
	}
	r := reconcilerWith(t, always{version: "v1.35.4"}, holding, theCluster("prod"), bundle)
	is := func(want string) {
		t.Helper()
		_, _ = r.place(t.Context(), Placement{"default", "cni", "prod"}) // what it writes counts
		spec, got := pinned(t, r), "none"
		if u := spec.KubernetesUpgrade; u != nil {
			got = fmt.Sprintf("%s by %s, admitted: %t", spec.Version, u.Version, u.Admitted != nil && *u.Admitted)
		}
		if got != want {
			t.Errorf("want %q, got %q", want, got)
		}
	}
	is("none") // it has no topology
	topologyOf(t, r, "v1.35.4")
	is("1.0.0 by v1.35.4, admitted: true")
	topologyOf(t, r, "v1.36.0")
	is("1.0.0 by v1.36.0, admitted: false")
	edit(t, r, holding, func() { holding.Spec.Bundle.Version = "" })
	is("1.1.0 by v1.36.0, admitted: true")

	// No release can be chosen: what was admitted before is not this version.
	edit(t, r, holding, func() { holding.Spec.Bundle.Version = "7.0.0" })
	topologyOf(t, r, "v1.37.0")
	is("1.1.0 by v1.37.0, admitted: false")
	edit(t, r, holding, func() { holding.Spec.KubernetesUpgrades = v1alpha1.AllowKubernetesUpgrades })
	is("none")
}

func edit(t *testing.T, r *Reconciler, object client.Object, change func()) {
	t.Helper()
	if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		t.Fatal(err)
	}
	change()
	if err := r.Client.Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}
