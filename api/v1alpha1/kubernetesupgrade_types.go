package v1alpha1

// KubernetesUpgrades defines whether upgrades of the Kubernetes of a Cluster wait for
// a release that admits the new version.
// +kubebuilder:validation:Enum=Allow;Hold
type KubernetesUpgrades string

const (
	// AllowKubernetesUpgrades lets upgrades go on. The release follows when they are
	// done.
	AllowKubernetesUpgrades KubernetesUpgrades = "Allow"

	// HoldKubernetesUpgrades holds an upgrade back until a release that admits both the
	// version that the Cluster has and the one that its topology asks for is Ready there.
	HoldKubernetesUpgrades KubernetesUpgrades = "Hold"
)

// KubernetesUpgrade is the version of Kubernetes that a Cluster is to have.
type KubernetesUpgrade struct {
	// version that spec.topology.version of the Cluster asks for.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Version string `json:"version,omitempty"`

	// admitted is true if the release that is pinned admits it.
	// +optional
	Admitted *bool `json:"admitted,omitempty"`
}

// UpgradeHookAnnotation is on a Cluster while a ClusterBundleSet with
// kubernetesUpgrades: Hold selects it. Cluster API begins no upgrade of a Cluster with
// an annotation of that prefix, so it is removed for the time from when the version
// that is asked for is admitted until its upgrade has begun.
const UpgradeHookAnnotation = "before-upgrade.hook.cluster.cluster.x-k8s.io/addon-bundles"

// KubernetesUpgradeHeldReason means that no release of the Bundle admits both the version
// of Kubernetes that a Cluster has and the one that its topology asks for.
const KubernetesUpgradeHeldReason = "KubernetesUpgradeHeld"
