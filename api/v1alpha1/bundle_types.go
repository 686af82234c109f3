package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ReconcileAtAnnotation has an object looked at again at once when its value changes:
// the sources of a Bundle are resolved, and those that failed fetched, whatever interval
// or retry they wait for; of a ClusterBundleSet and a ClusterBundle what is Stalled is
// tried again. The value is usually a time; nobody reads it.
const ReconcileAtAnnotation = "addons.cluster.x-k8s.io/reconcile-at"

// BundleSpec is an add-on and its releases.
type BundleSpec struct {
	// releases are the versions of the add-on that can be delivered.
	// +required
	// +listType=map
	// +listMapKey=version
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Releases []Release `json:"releases,omitempty"`

	// allowedNamespaces selects, by the labels of Namespaces, those whose
	// ClusterBundleSets may deliver this Bundle, beside its own. What is in the Bundle,
	// and what its sources read with the Secrets of its namespace, is then in workload
	// clusters of others. Without it only sets of its own namespace may; an empty
	// selector allows all.
	// +optional
	AllowedNamespaces *metav1.LabelSelector `json:"allowedNamespaces,omitempty"`

	// verify defines whose signatures the artifacts of every source without a verify
	// of its own must have. Only artifacts of a registry can be signed: with it, a
	// source of another kind is refused.
	// +optional
	Verify *Verify `json:"verify,omitempty"`

	// validation is what happens to a release with objects of built-in kinds that an
	// API server would refuse or change, as far as their schemas tell: duplicates in
	// lists with keys, unknown fields, values of another type. Warn lists them in the
	// warnings of the release in the status. Strict does so, too, and no Cluster is
	// given the release: it is Stalled with the reason ManifestInvalid. What a Cluster
	// has already stays. Default Warn.
	// +optional
	// +kubebuilder:default=Warn
	Validation Validation `json:"validation,omitempty"`
}

// Validation is what happens to a release with objects that an API server would refuse.
//
// +kubebuilder:validation:Enum=Strict;Warn
type Validation string

const (
	// StrictValidation refuses the release.
	StrictValidation Validation = "Strict"
	// WarnValidation lists what is found in the status.
	WarnValidation Validation = "Warn"
)

// Release is one version of an add-on.
// +kubebuilder:validation:XValidation:rule="self.phases.map(p, size(p.sources)).sum() <= 256",message="a release has at most 256 sources in all its phases"
type Release struct {
	// version is a semantic version (https://semver.org), with or without a leading v.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^v?(0|[1-9][0-9]*)\\\\.(0|[1-9][0-9]*)\\\\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\\\\+[0-9A-Za-z.-]+)?$')",message="version must be a semantic version, for example 3.32.1"
	Version string `json:"version,omitempty"`

	// kubernetes constrains the Kubernetes version of the workload cluster,
	// in the form of github.com/Masterminds/semver, for example
	// ">=1.34.0-0 <1.37.0-0". Empty means every version.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Kubernetes string `json:"kubernetes,omitempty"`

	// phases are applied in order: the next one starts when everything in the
	// one before is ready.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Phases []Phase `json:"phases,omitempty"`

	// extraImages are images that the add-on runs beside those of its pod
	// templates, such as the defaults in the code of an operator. They are listed
	// in the status of the release with the others, and are not part of what is
	// delivered.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	ExtraImages []string `json:"extraImages,omitempty"`

	// images are where objects name images beside pod templates, for the
	// imageRegistries of sets.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Images []ImageLocation `json:"images,omitempty"`

	// components are groups of objects that a set can turn on or off.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Components []Component `json:"components,omitempty"`
}

// Phase is a group of objects that are applied together.
type Phase struct {
	// name of the phase, unique in its release.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`

	// sources are where the manifests of the phase come from.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Sources []Source `json:"sources,omitempty"`

	// defaultNamespace is the namespace of the namespaced objects that name none, as
	// that of kubectl apply -n. For the objects of a Helm chart its own namespace
	// counts. Default "default".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	DefaultNamespace string `json:"defaultNamespace,omitempty"`

	// readyWhen are conditions on live objects that must hold before the phase
	// is ready, beside the readiness that every object has by its kind.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	ReadyWhen []ReadyWhen `json:"readyWhen,omitempty"`

	// waitForConditions is true if the end of the phase also waits for its custom
	// resources: each must have the condition Ready or, without that, Available, with
	// the status True. One that has neither is not ready, so leave it off for a phase
	// with kinds without them. Default false.
	// +optional
	WaitForConditions *bool `json:"waitForConditions,omitempty"`

	// timeout after which a phase that is not ready makes the ClusterBundle
	// Stalled. It is then retried slowly, and when a watch reports a change.
	// Default 10m.
	// +optional
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s')",message="timeout must be greater than 0"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// BundleStatus is the observed state of a Bundle's releases. It is computed from
// scratch, and no decision is based on it.
type BundleStatus struct {
	// conditions of the Bundle: Ready, Stalled.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=32
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation that this status is about.
	// +optional
	// +kubebuilder:validation:Minimum=1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// releases as fetched, verified and indexed, in the order of the spec.
	// +optional
	// +listType=map
	// +listMapKey=version
	// +kubebuilder:validation:MaxItems=64
	Releases []ReleaseStatus `json:"releases,omitempty"`
}

// ReleaseStatus is a release as fetched, verified and indexed.
type ReleaseStatus struct {
	// version of the release.
	// +required
	Version string `json:"version,omitempty"`

	// digest of the release: it changes with the content of any phase.
	// +optional
	Digest Digest `json:"digest,omitempty"`

	// objects is the number of objects in the release.
	// +optional
	Objects int32 `json:"objects,omitempty"`

	// crds is the number of CustomResourceDefinitions among the objects.
	// +optional
	CRDs int32 `json:"crds,omitempty"`

	// bytes of the release as fetched.
	// +optional
	Bytes int64 `json:"bytes,omitempty"`

	// verifiedBy is who signed the artifacts of the release that had to be signed,
	// sorted, at most 64.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	VerifiedBy []string `json:"verifiedBy,omitempty"`

	// artifacts are what the tags, constraints and versions of the release's oci and
	// helm sources stand for now, in the order of the sources, at most 64.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Artifacts []ArtifactStatus `json:"artifacts,omitempty"`

	// images that the pod templates of the release name, and its extraImages,
	// sorted, at most 256.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Images []string `json:"images,omitempty"`

	// warnings are what should be looked at in a release that can be used, sorted. If
	// there are more than 32, the last one says how many.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=1024
	Warnings []string `json:"warnings,omitempty"`

	// message is what is wrong with the release. Empty when it can be used.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// Bundle is an add-on and its releases: what is delivered.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=bdl,categories=cluster-api
// +kubebuilder:printcolumn:name="Releases",type=string,JSONPath=`.spec.releases[*].version`,description="Versions that can be delivered"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="Whether every release was fetched, verified and indexed"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,description="Why the Bundle is in this state",priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,description="What is wrong",priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Bundle struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the add-on and its releases.
	// +required
	Spec BundleSpec `json:"spec,omitzero"`

	// status is what was fetched, verified and indexed.
	// +optional
	Status BundleStatus `json:"status,omitzero"`
}

// GetConditions returns the conditions of the Bundle.
func (b *Bundle) GetConditions() []metav1.Condition { return b.Status.Conditions }

// SetConditions replaces the conditions of the Bundle.
func (b *Bundle) SetConditions(conditions []metav1.Condition) { b.Status.Conditions = conditions }

// BundleList is a list of Bundles.
//
// +kubebuilder:object:root=true
type BundleList struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`

	// items are the Bundles.
	Items []Bundle `json:"items"`
}
