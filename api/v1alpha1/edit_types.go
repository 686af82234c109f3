package v1alpha1

// Edits are changes that a ClusterBundleSet makes to every release that it delivers,
// the same for all its Clusters. A release is edited once for all Clusters of all sets
// with equal edits.
type Edits struct {
	// imageRegistries have images come from other registries, as those of a mirror. The
	// longest from that an image begins with counts; tags and digests stay. Rewritten
	// are the containers and the image volumes of pod templates, and what the releases
	// of the Bundle name as images of custom resources.
	// +optional
	// +listType=map
	// +listMapKey=from
	// +kubebuilder:validation:MaxItems=32
	ImageRegistries []ImageRegistry `json:"imageRegistries,omitempty"`

	// components turns components of the release on or off. The objects of one that is
	// off are not delivered, and are pruned where they were. A component that the
	// release does not have is an error.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Components []ComponentChoice `json:"components,omitempty"`

	// crdDescriptions is Keep (default) or Strip: whether the schemas of
	// CustomResourceDefinitions have their descriptions. They are most of the bytes of
	// many definitions, and only kubectl explain shows them.
	// +optional
	// +kubebuilder:default=Keep
	CRDDescriptions CRDDescriptions `json:"crdDescriptions,omitempty"`
}

// CRDDescriptions defines whether the schemas of CustomResourceDefinitions have their
// descriptions.
// +kubebuilder:validation:Enum=Keep;Strip
type CRDDescriptions string

const (
	// KeepCRDDescriptions leaves the schemas as they were published.
	KeepCRDDescriptions CRDDescriptions = "Keep"

	// StripCRDDescriptions leaves out the descriptions of schemas.
	StripCRDDescriptions CRDDescriptions = "Strip"
)

// ImageRegistry has images of a registry, or of a path in it, come from elsewhere.
type ImageRegistry struct {
	// from is what the images begin with: a registry, with a path or without, for
	// example docker.io or quay.io/calico. Images without a registry are of docker.io,
	// and those that are one word are of docker.io/library.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^(localhost|[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+|[A-Za-z0-9-]+([.][A-Za-z0-9-]+)*:[0-9]+)(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$')",message="from must be a registry with an optional path, for example docker.io or quay.io/calico"
	From string `json:"from,omitempty"`

	// to takes the place of from, for example registry.example.com/dockerhub.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^(localhost|[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+|[A-Za-z0-9-]+([.][A-Za-z0-9-]+)*:[0-9]+)(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$')",message="to must be a registry with an optional path, for example registry.example.com/dockerhub"
	To string `json:"to,omitempty"`
}

// ComponentChoice turns a component of a release on or off.
type ComponentChoice struct {
	// name of the component.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// enabled is whether its objects are delivered.
	// +required
	Enabled *bool `json:"enabled,omitempty"`
}

// Component is a group of objects of a release that a ClusterBundleSet can turn on or
// off. An object of several components is delivered if one of them is on, one of none
// always.
type Component struct {
	// name of the component, unique in its release.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`

	// default is On (default) or Off: what counts for sets that do not name it.
	// +optional
	// +kubebuilder:default=On
	Default ComponentState `json:"default,omitempty"`

	// objects select the objects of the component. One that selects nothing is an error.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Objects []ComponentObjects `json:"objects,omitempty"`
}

// ComponentState defines whether the objects of a component are delivered.
// +kubebuilder:validation:Enum=On;Off
type ComponentState string

const (
	// OnComponentState delivers the objects.
	OnComponentState ComponentState = "On"

	// OffComponentState leaves them out.
	OffComponentState ComponentState = "Off"
)

// ComponentObjects select objects of a release: those that have everything that is named.
type ComponentObjects struct {
	// apiVersion of the objects, for example apps/v1. Empty for every one.
	// +optional
	// +kubebuilder:validation:MaxLength=317
	APIVersion string `json:"apiVersion,omitempty"`

	// kind of the objects.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`

	// name of the object. Empty for all of the kind.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// namespace of the objects. Empty for all.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}

// ImageLocation is where the objects of a kind name images, or the registry that their
// controller takes images from.
//
// +kubebuilder:validation:XValidation:rule="!has(self.default) || !self.path.contains('[')",message="default is not for a path with [*]"
type ImageLocation struct {
	// apiVersion of the objects, for example operator.tigera.io/v1.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	APIVersion string `json:"apiVersion,omitempty"`

	// kind of the objects.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`

	// path of the field from the top of the object: each name with a dot before it, and
	// [*] behind the name of a list for all that is in it, for example .spec.registry or
	// .spec.sidecars[*].image. Where the field is absent there is nothing to rewrite.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^(\.[A-Za-z0-9_-]+(\[\*\])?)+$`
	Path string `json:"path,omitempty"`

	// type is Image (default) or Registry: whether the field has a whole image, or only
	// what images begin with.
	// +optional
	// +kubebuilder:default=Image
	Type ImageLocationType `json:"type,omitempty"`

	// default is what the controller takes where the field is absent. It is rewritten as
	// if it were there.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Default string `json:"default,omitempty"`
}

// ImageLocationType is what a field that images come from has.
// +kubebuilder:validation:Enum=Image;Registry
type ImageLocationType string

const (
	// ImageLocationImage is a whole image, as in a container.
	ImageLocationImage ImageLocationType = "Image"

	// ImageLocationRegistry is a registry, with a path or without.
	ImageLocationRegistry ImageLocationType = "Registry"
)
