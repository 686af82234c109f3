package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Strategy defines whether a ClusterBundleSet updates what it applied.
// +kubebuilder:validation:Enum=Reconcile;ApplyOnce
type Strategy string

const (
	// ReconcileStrategy delivers every change of the Bundle, and repairs what others
	// change or delete in the workload cluster.
	ReconcileStrategy Strategy = "Reconcile"

	// ApplyOnceStrategy applies a bundle once and never touches it again, as
	// the strategy of the same name in ClusterResourceSet does.
	ApplyOnceStrategy Strategy = "ApplyOnce"
)

// DeletionPolicy defines what happens to the objects in a workload cluster when
// its Cluster is no longer selected or the ClusterBundleSet is deleted.
// +kubebuilder:validation:Enum=Retain;Delete
type DeletionPolicy string

const (
	// RetainDeletionPolicy leaves the objects in the workload cluster as they are.
	RetainDeletionPolicy DeletionPolicy = "Retain"

	// DeleteDeletionPolicy removes the objects from the workload cluster. With a
	// Cluster that is being deleted nothing is removed: they go with its machines.
	DeleteDeletionPolicy DeletionPolicy = "Delete"
)

// CRDPolicy defines whether CustomResourceDefinitions and Namespaces are removed.
// +kubebuilder:validation:Enum=Retain;Delete
type CRDPolicy string

const (
	// RetainCRDPolicy never removes a CustomResourceDefinition or a Namespace.
	RetainCRDPolicy CRDPolicy = "Retain"

	// DeleteCRDPolicy removes them with all that is in them.
	DeleteCRDPolicy CRDPolicy = "Delete"
)

// ImmutableFields defines what happens to an object of the workload cluster of
// which a field that cannot be changed is another one in the bundle.
// +kubebuilder:validation:Enum=Fail;Recreate
type ImmutableFields string

const (
	// FailImmutableFields leaves the object as it is and reports it.
	FailImmutableFields ImmutableFields = "Fail"

	// RecreateImmutableFields deletes the object and makes it anew.
	RecreateImmutableFields ImmutableFields = "Recreate"
)

// UpgradePath defines which releases lead from one to a newer one.
// +kubebuilder:validation:Enum=Direct;EachMinor
type UpgradePath string

const (
	// DirectUpgradePath pins the release to have at once.
	DirectUpgradePath UpgradePath = "Direct"

	// EachMinorUpgradePath never skips a minor version: the newest release of each
	// minor version between is pinned, and Ready, before the next. They need not
	// satisfy the version constraint of the set.
	EachMinorUpgradePath UpgradePath = "EachMinor"
)

// Adoption defines what happens to an object of the workload cluster that exists
// already.
// +kubebuilder:validation:Enum=IfUnowned;Always
type Adoption string

const (
	// IfUnownedAdoption takes over objects that have no owner, such as those made
	// with kubectl or by a ClusterResourceSet, and those of a ClusterBundleSet that
	// the Cluster no longer has. Namespaces and objects with equal content are
	// shared with other sets. All others are reported as a collision.
	IfUnownedAdoption Adoption = "IfUnowned"

	// AlwaysAdoption also takes over objects of other owners: Helm, Flux, and
	// another ClusterBundleSet if its content differs.
	AlwaysAdoption Adoption = "Always"
)

// ClusterBundleSetSpec selects Clusters and defines which Bundle they get and how.
//
// +kubebuilder:validation:XValidation:rule="!has(self.strategy) || self.strategy != 'ApplyOnce' || !has(self.rollbackOnFailure) || !self.rollbackOnFailure",message="rollbackOnFailure is not for strategy ApplyOnce, which upgrades nothing"
// +kubebuilder:validation:XValidation:rule="!has(self.strategy) || self.strategy != 'ApplyOnce' || !has(self.upgradePath) || self.upgradePath == 'Direct'",message="upgradePath is not for strategy ApplyOnce, which upgrades nothing"
// +kubebuilder:validation:XValidation:rule="!has(self.strategy) || self.strategy != 'ApplyOnce' || !has(self.kubernetesUpgrades) || self.kubernetesUpgrades == 'Allow'",message="kubernetesUpgrades is not for strategy ApplyOnce, which upgrades nothing"
type ClusterBundleSetSpec struct {
	// clusterSelector selects Clusters of the same namespace by their labels.
	// It must not be empty.
	// +required
	// +kubebuilder:validation:XValidation:rule="(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)",message="clusterSelector must not be empty: name at least one label"
	ClusterSelector metav1.LabelSelector `json:"clusterSelector,omitzero"`

	// bundle that the selected Clusters get.
	// +required
	Bundle BundleSelector `json:"bundle,omitzero"`

	// strategy is Reconcile (default) or ApplyOnce.
	// +optional
	// +kubebuilder:default=Reconcile
	Strategy Strategy `json:"strategy,omitempty"`

	// deletionPolicy is Retain (default) or Delete: what happens to the objects in
	// a workload cluster when its Cluster is no longer selected or the set is deleted.
	// +optional
	// +kubebuilder:default=Retain
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// crds is Retain (default) or Delete: whether CustomResourceDefinitions and
	// Namespaces are removed, by pruning, by uninstalling, or to replace one that
	// cannot be changed. What is in them is lost.
	// +optional
	// +kubebuilder:default=Retain
	CRDs CRDPolicy `json:"crds,omitempty"`

	// immutableFields is Fail (default) or Recreate: whether an object with a
	// changed immutable field is deleted and made anew. Never Namespaces and
	// CustomResourceDefinitions (without crds: Delete), PersistentVolumes and
	// PersistentVolumeClaims; Jobs always are made anew.
	// +optional
	// +kubebuilder:default=Fail
	ImmutableFields ImmutableFields `json:"immutableFields,omitempty"`

	// upgradePath is Direct (default) or EachMinor: whether an upgrade skips minor
	// versions. What is older is always pinned directly.
	// +optional
	// +kubebuilder:default=Direct
	UpgradePath UpgradePath `json:"upgradePath,omitempty"`

	// rollbackOnFailure returns a Cluster to the last release that was Ready there when
	// the one that took its place is Stalled before it was complete. The release that
	// failed is pinned again when its content or the choice changes.
	// +optional
	RollbackOnFailure *bool `json:"rollbackOnFailure,omitempty"`

	// adoption is IfUnowned (default) or Always.
	// +optional
	// +kubebuilder:default=IfUnowned
	Adoption Adoption `json:"adoption,omitempty"`

	// kubernetesUpgrades is Allow (default) or Hold: whether an upgrade of the Kubernetes
	// of a Cluster waits until a release that admits the new version is Ready there.
	// Hold is for Clusters with a topology, in a management cluster whose Cluster API
	// has the feature gate RuntimeSDK.
	// +optional
	// +kubebuilder:default=Allow
	KubernetesUpgrades KubernetesUpgrades `json:"kubernetesUpgrades,omitempty"`

	// dependsOn are other sets of the same namespace. On each Cluster this set begins
	// a release only while every one of them is complete there. What it has begun it
	// finishes, and it is repaired whatever they do.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	DependsOn []SetReference `json:"dependsOn,omitempty"`

	// Edits are what is changed in every release.
	Edits `json:",inline"`

	// Patching is what is patched for each Cluster.
	Patching `json:",inline"`

	// suspend stops all work of this set in workload clusters until it is false
	// again. Clusters are still selected and releases still pinned.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`
}

// SetReference names a ClusterBundleSet of the same namespace.
type SetReference struct {
	// name of the ClusterBundleSet.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
}

// BundleSelector names a Bundle and a range of its versions.
type BundleSelector struct {
	// namespace of the Bundle. Empty means that of the set. A Bundle of another
	// namespace has to allow that of the set in its allowedNamespaces.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespace string `json:"namespace,omitempty"`

	// name of the Bundle.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// version constrains the releases, in the form of
	// github.com/Masterminds/semver, for example "~3.32". Empty means the
	// newest stable release that fits the workload cluster's Kubernetes version.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Version string `json:"version,omitempty"`
}

// ClusterBundleSetStatus counts the selected Clusters by the state of their
// ClusterBundle. It is computed from scratch, and no decision is based on it.
type ClusterBundleSetStatus struct {
	// conditions of the set: Ready, Stalled, Paused.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=32
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation that this status is about.
	// +optional
	// +kubebuilder:validation:Minimum=1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// matched is the number of Clusters that the selector selects.
	// +optional
	Matched *int32 `json:"matched,omitempty"`

	// applied is the number of them to which every object was applied.
	// +optional
	Applied *int32 `json:"applied,omitempty"`

	// ready is the number of them whose ClusterBundle is Ready.
	// +optional
	Ready *int32 `json:"ready,omitempty"`

	// failed is the number of them whose ClusterBundle is Stalled, or that keep the
	// release that they have since the one that they should get cannot be chosen or
	// fetched (UpToDate is False).
	// +optional
	Failed *int32 `json:"failed,omitempty"`
}

// ClusterBundleSet selects Clusters and defines which Bundle they get and how: the
// companion of ClusterResourceSet.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=cbs,categories=cluster-api
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="the name is also a label value: at most 63 characters"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.dependsOn) || self.spec.dependsOn.all(other, other.name != self.metadata.name)",message="a set cannot depend on itself"
// +kubebuilder:printcolumn:name="Bundle",type=string,JSONPath=`.spec.bundle.name`,description="Bundle that the selected Clusters get"
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.spec.bundle.version`,description="Constraint on its version"
// +kubebuilder:printcolumn:name="Matched",type=integer,JSONPath=`.status.matched`,description="Clusters selected"
// +kubebuilder:printcolumn:name="Applied",type=integer,JSONPath=`.status.applied`,description="Clusters with every object applied"
// +kubebuilder:printcolumn:name="Ready",type=integer,JSONPath=`.status.ready`,description="Clusters whose ClusterBundle is Ready"
// +kubebuilder:printcolumn:name="Failed",type=integer,JSONPath=`.status.failed`,description="Clusters whose ClusterBundle is Stalled or cannot get its release"
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,description="What is missing",priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ClusterBundleSet struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec selects Clusters and defines which Bundle they get and how.
	// +required
	Spec ClusterBundleSetSpec `json:"spec,omitzero"`

	// status counts the selected Clusters.
	// +optional
	Status ClusterBundleSetStatus `json:"status,omitzero"`
}

// GetConditions returns the conditions of the ClusterBundleSet.
func (s *ClusterBundleSet) GetConditions() []metav1.Condition { return s.Status.Conditions }

// SetConditions replaces the conditions of the ClusterBundleSet.
func (s *ClusterBundleSet) SetConditions(conditions []metav1.Condition) {
	s.Status.Conditions = conditions
}

// ClusterBundleSetList is a list of ClusterBundleSets.
//
// +kubebuilder:object:root=true
type ClusterBundleSetList struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`

	// items are the ClusterBundleSets.
	Items []ClusterBundleSet `json:"items"`
}
