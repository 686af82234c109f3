package placement

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// setDesired puts into a ClusterBundle what the set asks for.
func setDesired(cb *v1alpha1.ClusterBundle, set *v1alpha1.ClusterBundleSet, cluster *clusterv1.Cluster) {
	if cb.Labels == nil {
		cb.Labels = make(map[string]string)
	}
	cb.Labels[clusterv1.ClusterNameLabel] = cluster.Name
	delete(cb.Labels, clusterv1.WatchLabel)
	if watchFilter := set.Labels[clusterv1.WatchLabel]; watchFilter != "" {
		cb.Labels[clusterv1.WatchLabel] = watchFilter
	}
	cb.OwnerReferences = owners(set, cluster)
	cb.Spec.ClusterName, cb.Spec.SetName = cluster.Name, set.Name
	cb.Spec.BundleNamespace, cb.Spec.BundleName = set.Spec.Bundle.Namespace, set.Spec.Bundle.Name
	cb.Spec.Strategy = set.Spec.Strategy
	cb.Spec.ImmutableFields = set.Spec.ImmutableFields
	cb.Spec.Adoption = set.Spec.Adoption
	cb.Spec.DependsOn = slices.Clone(set.Spec.DependsOn)
	cb.Spec.Edits = *set.Spec.Edits.DeepCopy()
	cb.Spec.Patching = *set.Spec.Patching.DeepCopy()
	cb.Spec.Suspend = set.Spec.Suspend
	setKubernetesUpgrade(cb, set, cluster)
	setRemoval(cb, set)
}

// setDesired is setDesired as far as the features of the manager allow it.
func (r *Reconciler) setDesired(cb *v1alpha1.ClusterBundle, set *v1alpha1.ClusterBundleSet, cluster *clusterv1.Cluster) {
	setDesired(cb, set, cluster)
	if r.NeverHolds {
		cb.Spec.KubernetesUpgrade = nil
	}
}

// setKubernetesUpgrade puts into a ClusterBundle which version of Kubernetes its release
// is to admit as well. Whether it does is found out with the choice.
func setKubernetesUpgrade(cb *v1alpha1.ClusterBundle, set *v1alpha1.ClusterBundleSet, cluster *clusterv1.Cluster) {
	wanted := cluster.Spec.Topology.Version
	switch {
	case set.Spec.KubernetesUpgrades != v1alpha1.HoldKubernetesUpgrades || wanted == "":
		cb.Spec.KubernetesUpgrade = nil
	case cb.Spec.KubernetesUpgrade == nil || cb.Spec.KubernetesUpgrade.Version != wanted:
		cb.Spec.KubernetesUpgrade = &v1alpha1.KubernetesUpgrade{Version: wanted}
	}
}

// setRemoval puts into a ClusterBundle what is removed from the workload cluster
// before it is gone. Without the policy Delete nothing holds it up.
func setRemoval(cb *v1alpha1.ClusterBundle, set *v1alpha1.ClusterBundleSet) {
	cb.Spec.DeletionPolicy, cb.Spec.CRDs = set.Spec.DeletionPolicy, set.Spec.CRDs
	if set.Spec.DeletionPolicy == v1alpha1.DeleteDeletionPolicy {
		controllerutil.AddFinalizer(cb, v1alpha1.UninstallFinalizer)
		return
	}
	controllerutil.RemoveFinalizer(cb, v1alpha1.UninstallFinalizer)
}

// owners are the set, which controls the ClusterBundle, and the Cluster, with
// which clusterctl moves it.
func owners(set *v1alpha1.ClusterBundleSet, cluster *clusterv1.Cluster) []metav1.OwnerReference {
	return []metav1.OwnerReference{
		*metav1.NewControllerRef(set, v1alpha1.GroupVersion.WithKind("ClusterBundleSet")),
		{
			APIVersion: clusterv1.GroupVersion.String(), Kind: clusterv1.ClusterKind,
			Name: cluster.Name, UID: cluster.UID,
		},
	}
}

// nameOf is the name of a ClusterBundle: that of the set, a hyphen and that of
// the Cluster, as long as that fits a label value.
func nameOf(set, cluster string) string {
	if name := set + "-" + cluster; len(name) <= validation.LabelValueMaxLength {
		return name
	}
	return hashedName(set, cluster)
}

// hashedName is a name of bounded length that no other placement has.
func hashedName(set, cluster string) string {
	const digits = 10
	sum := sha256.Sum256([]byte(set + "/" + cluster))
	plain := set + "-" + cluster
	plain = plain[:min(len(plain), validation.LabelValueMaxLength-digits-1)]
	return strings.TrimRight(plain, "-.") + "-" + hex.EncodeToString(sum[:])[:digits]
}
