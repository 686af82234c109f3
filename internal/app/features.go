package app

import (
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/component-base/featuregate"
)

// Features that --feature-gates turns on and off. One that is on by default can be taken
// back where it does harm; what depends on it is then refused with a reason, or left out.
const (
	// CrossNamespaceBundles lets sets name a Bundle of another namespace that allows
	// theirs. Without it such a Bundle is not to be had, and Namespaces are not watched.
	//
	// beta: v0.1
	CrossNamespaceBundles featuregate.Feature = "CrossNamespaceBundles"

	// KubernetesUpgradeHold lets sets hold back upgrades of the Kubernetes of Clusters.
	// Without it "kubernetesUpgrades: Hold" counts as Allow, and the annotations that hold
	// upgrades are removed.
	//
	// beta: v0.1
	KubernetesUpgradeHold featuregate.Feature = "KubernetesUpgradeHold"

	// ClusterPatches lets sets patch what a Cluster gets with values from the Cluster.
	// Without it nothing is delivered to Clusters of a set that has patches: what such a
	// set wants is not what the Bundle has.
	//
	// beta: v0.1
	ClusterPatches featuregate.Feature = "ClusterPatches"
)

// newFeatures returns the gates with their defaults.
func newFeatures() featuregate.MutableFeatureGate {
	gates := featuregate.NewFeatureGate()
	beta := featuregate.FeatureSpec{Default: true, PreRelease: featuregate.Beta}
	utilruntime.Must(gates.Add(map[featuregate.Feature]featuregate.FeatureSpec{
		CrossNamespaceBundles: beta, KubernetesUpgradeHold: beta, ClusterPatches: beta,
	}))
	return gates
}

// ownBundlesOnly reports whether sets may name Bundles of their own namespace only.
func (o Options) ownBundlesOnly() bool {
	return o.Manager.Namespace != "" || !o.Features.Enabled(CrossNamespaceBundles)
}
