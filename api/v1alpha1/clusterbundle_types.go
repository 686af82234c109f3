package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// UninstallFinalizer is on a ClusterBundle whose deletionPolicy is Delete: it is
// not gone before what it applied is removed from the workload cluster, unless
// that is to be left alone.
const UninstallFinalizer = "addons.cluster.x-k8s.io/uninstall"

// ClusterBundleSpec is one Bundle on one Cluster, resolved and pinned by the
// ClusterBundleSet that made it. What must survive a move of the Cluster is
// here or in the workload cluster.
//
// +kubebuilder:validation:XValidation:rule="has(self.version) == has(self.digest)",message="version and digest are pinned together"
type ClusterBundleSpec struct {
	// clusterName is the Cluster, in the same namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="clusterName is immutable"
	ClusterName string `json:"clusterName,omitempty"`

	// setName is the ClusterBundleSet that made this object, in the same
	// namespace. With the namespace it is the identity of what was applied.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="setName is immutable"
	SetName string `json:"setName,omitempty"`

	// bundleNamespace is the namespace of the Bundle. Empty means that of this object.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	BundleNamespace string `json:"bundleNamespace,omitempty"`

	// bundleName is the Bundle.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	BundleName string `json:"bundleName,omitempty"`

	// version of the release. Empty until one could be chosen.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Version string `json:"version,omitempty"`

	// digest of the release: another content has another digest.
	// +optional
	Digest Digest `json:"digest,omitempty"`

	// kubernetes is the version of Kubernetes by which the release was chosen and its
	// charts are rendered. Another version that the workload cluster answers with
	// counts after it was read for some minutes without interruption. Empty where no
	// release of the Bundle, and no patch, depends on it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Kubernetes string `json:"kubernetes,omitempty"`

	// kubernetesUpgrade is the version of Kubernetes that the topology of the Cluster
	// asks for, and whether the release that is pinned admits it. Only with
	// kubernetesUpgrades: Hold of the set.
	// +optional
	KubernetesUpgrade *KubernetesUpgrade `json:"kubernetesUpgrade,omitempty"`

	// previous is the release that was Ready before the one that is pinned.
	// +optional
	Previous *ReleaseReference `json:"previous,omitempty"`

	// failed is the release that was rolled back from, by rollbackOnFailure of the set.
	// It is not pinned again with this content, unless failed is removed.
	// +optional
	Failed *FailedRelease `json:"failed,omitempty"`

	// strategy of the set.
	// +optional
	// +kubebuilder:default=Reconcile
	Strategy Strategy `json:"strategy,omitempty"`

	// deletionPolicy of the set.
	// +optional
	// +kubebuilder:default=Retain
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// crds of the set.
	// +optional
	// +kubebuilder:default=Retain
	CRDs CRDPolicy `json:"crds,omitempty"`

	// immutableFields of the set.
	// +optional
	// +kubebuilder:default=Fail
	ImmutableFields ImmutableFields `json:"immutableFields,omitempty"`

	// adoption of the set.
	// +optional
	// +kubebuilder:default=IfUnowned
	Adoption Adoption `json:"adoption,omitempty"`

	// dependsOn of the set.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	DependsOn []SetReference `json:"dependsOn,omitempty"`

	// Edits of the set.
	Edits `json:",inline"`

	// Patching is what is patched for each Cluster.
	Patching `json:",inline"`

	// suspend of the set.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`
}

// ReleaseReference is a release with its content.
type ReleaseReference struct {
	// version of the release.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Version string `json:"version,omitempty"`

	// digest of its content.
	// +required
	Digest Digest `json:"digest,omitempty"`
}

// FailedRelease is a release that was rolled back from.
type FailedRelease struct {
	ReleaseReference `json:",inline"`

	// message is what was wrong with it.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
}

// PhaseState is how far a phase is.
// +kubebuilder:validation:Enum=Pending;Applying;Waiting;Ready;Failed
type PhaseState string

const (
	// PendingPhaseState is a phase that has not begun.
	PendingPhaseState PhaseState = "Pending"

	// ApplyingPhaseState is a phase whose objects are not all applied.
	ApplyingPhaseState PhaseState = "Applying"

	// WaitingPhaseState is a phase that waits for what it applied to become ready.
	WaitingPhaseState PhaseState = "Waiting"

	// ReadyPhaseState is a phase that is applied and ready.
	ReadyPhaseState PhaseState = "Ready"

	// FailedPhaseState is a phase that cannot go on, or took longer than its timeout.
	FailedPhaseState PhaseState = "Failed"
)

// PhaseStatus is how far one phase is.
type PhaseStatus struct {
	// name of the phase.
	// +required
	Name string `json:"name,omitempty"`

	// state is Pending, Applying, Waiting, Ready or Failed.
	// +required
	State PhaseState `json:"state,omitempty"`

	// objects is the number of objects in the phase.
	// +optional
	Objects int32 `json:"objects"`

	// ready is the number of them that are applied and ready.
	// +optional
	Ready int32 `json:"ready"`

	// startTime is when the phase began, to the second.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// completionTime is when the phase was ready for the first time, to the second.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`

	// message is what the phase waits for or what went wrong.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// ClusterBundleStatus is how far the bundle is on the Cluster. It is computed
// from scratch on every pass, and no decision is based on it.
type ClusterBundleStatus struct {
	// conditions of the ClusterBundle: Ready, Applied, UpToDate, Paused, Stalled,
	// Deleting.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=32
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation that this status is about.
	// +optional
	// +kubebuilder:validation:Minimum=1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// phase is where the rollout is, for example "operator 2/3".
	// +optional
	Phase string `json:"phase,omitempty"`

	// phases of the release and how far each is.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Phases []PhaseStatus `json:"phases,omitempty"`
}

// ClusterBundle is one Bundle on one Cluster, made by a ClusterBundleSet.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=cb,categories=cluster-api
// +kubebuilder:printcolumn:name="Cluster",type=string,JSONPath=`.spec.clusterName`,description="Cluster that gets the bundle"
// +kubebuilder:printcolumn:name="Bundle",type=string,JSONPath=`.spec.bundleName`,description="Bundle"
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.spec.version`,description="Version of the release"
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`,description="Where the rollout is"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="Whether everything is applied and ready"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,description="Why the ClusterBundle is in this state",priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,description="What it waits for or what went wrong",priority=1
type ClusterBundle struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the Bundle and the Cluster, resolved and pinned.
	// +required
	Spec ClusterBundleSpec `json:"spec,omitzero"`

	// status is how far the bundle is on the Cluster.
	// +optional
	Status ClusterBundleStatus `json:"status,omitzero"`
}

// GetConditions returns the conditions of the ClusterBundle.
func (c *ClusterBundle) GetConditions() []metav1.Condition { return c.Status.Conditions }

// SetConditions replaces the conditions of the ClusterBundle.
func (c *ClusterBundle) SetConditions(conditions []metav1.Condition) {
	c.Status.Conditions = conditions
}

// ClusterBundleList is a list of ClusterBundles.
//
// +kubebuilder:object:root=true
type ClusterBundleList struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`

	// items are the ClusterBundles.
	Items []ClusterBundle `json:"items"`
}
