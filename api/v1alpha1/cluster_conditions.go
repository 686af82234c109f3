package v1alpha1

// AddonBundlesReadyCondition is a condition of a Cluster. It is True if the
// ClusterBundle of every ClusterBundleSet that selects the Cluster is Ready. A Cluster
// that no set selects does not have it.
const AddonBundlesReadyCondition = "AddonBundlesReady"

// NotReadyReason is the reason of an AddonBundlesReady condition that is False.
const NotReadyReason = "NotReady"
