package v1alpha1

import (
	"k8s.io/apimachinery/pkg/runtime"
)

// Patching has the patches of a set.
type Patching struct {
	// patches change objects and values of charts for each Cluster, in their order.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Patches []Patch `json:"patches,omitempty"`

	// variables for the patches, beside those of the Cluster.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Variables []PatchVariable `json:"variables,omitempty"`
}

// Patch changes objects of the bundle, or the values of its charts, for each Cluster, in
// the form of the patches of a ClusterClass.
// +kubebuilder:validation:XValidation:rule="has(self.selector.helmRelease) || self.jsonPatches.all(p, !(p.path in ['/apiVersion', '/kind', '/metadata', '/metadata/name', '/metadata/namespace', '/metadata/generateName']))",message="a patch cannot change the identity of an object: apiVersion, kind, metadata.name, metadata.namespace"
type Patch struct {
	// name of the patch, for messages.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name,omitempty"`

	// enabledIf is a Go template. The patch counts only where it gives true; without it
	// everywhere.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	EnabledIf string `json:"enabledIf,omitempty"`

	// selector of what is patched.
	// +required
	Selector PatchSelector `json:"selector,omitzero"`

	// jsonPatches are the changes, in their order.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	JSONPatches []JSONPatch `json:"jsonPatches,omitempty"`

	// optional is true if a release without anything that selector selects is no error.
	// Default false.
	// +optional
	Optional *bool `json:"optional,omitempty"`
}

// PatchSelector selects what a patch changes: all objects of a kind, or those with a
// name or in a namespace; or the values of charts.
// +kubebuilder:validation:XValidation:rule="has(self.helmRelease) ? !has(self.apiVersion) && !has(self.kind) && !has(self.name) && !has(self.namespace) : has(self.apiVersion) && has(self.kind)",message="either apiVersion and kind, or helmRelease alone"
type PatchSelector struct {
	// apiVersion of the objects, as it is written in the bundle.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	APIVersion string `json:"apiVersion,omitempty"`

	// kind of the objects.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`

	// name of the object; without it all of the kind.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// namespace of the objects; without it any.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// helmRelease is the releaseName of helm sources: their values are patched, as if the
	// Bundle had them so. A chart is rendered once for each distinct values.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=53
	HelmRelease string `json:"helmRelease,omitempty"`
}

// PatchOperation is what a JSONPatch does.
// +kubebuilder:validation:Enum=add;replace;remove
type PatchOperation string

const (
	// AddPatchOperation adds a member or an item, or replaces a member.
	AddPatchOperation PatchOperation = "add"

	// ReplacePatchOperation replaces what is there.
	ReplacePatchOperation PatchOperation = "replace"

	// RemovePatchOperation removes what is there.
	RemovePatchOperation PatchOperation = "remove"
)

// JSONPatch is one change, as RFC 6902 defines it.
// +kubebuilder:validation:MaxProperties=3
// +kubebuilder:validation:XValidation:rule="self.op != 'remove' || !has(self.valueFrom)",message="remove takes no value"
type JSONPatch struct {
	// op is add, replace or remove.
	// +required
	Op PatchOperation `json:"op,omitempty"`

	// path is a JSON pointer. In values of charts, mappings that are missing on the way to
	// what is added are made.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^/`
	Path string `json:"path,omitempty"`

	// value for add and replace: this or valueFrom.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Value *runtime.RawExtension `json:"value,omitempty"`

	// valueFrom has the value come from the Cluster.
	// +optional
	ValueFrom *JSONPatchValue `json:"valueFrom,omitempty"`
}

// JSONPatchValue is a value that comes from the Cluster.
// +kubebuilder:validation:XValidation:rule="has(self.variable) != has(self.template)",message="either variable or template"
type JSONPatchValue struct {
	// variable is the path of a variable, with dots and indices, for example
	// builtin.cluster.network.pods[0].
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Variable string `json:"variable,omitempty"`

	// template is a Go template that gives the value in YAML or JSON.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=10240
	Template string `json:"template,omitempty"`
}

// PatchVariable is a variable of the patches of a set.
type PatchVariable struct {
	// name of the variable.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="!(self in ['builtin', 'controlPlaneEndpoint'])",message="builtin and controlPlaneEndpoint are of the Cluster"
	Name string `json:"name,omitempty"`

	// value of the variable, for Clusters that have none of this name in
	// spec.topology.variables.
	// +required
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Value *runtime.RawExtension `json:"value,omitempty"`
}
