package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// BundleSpec is an add-on and its releases.
type BundleSpec struct {
	// releases are the versions of the add-on that can be delivered.
	// +required
	// +listType=map
	// +listMapKey=version
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Releases []Release `json:"releases,omitempty"`
}

// Release is one version of an add-on.
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

	// readyWhen are conditions on live objects that must hold before the phase
	// is ready, beside the readiness that every object has by its kind.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	ReadyWhen []ReadyWhen `json:"readyWhen,omitempty"`

	// timeout after which a phase that is not ready makes the ClusterBundle
	// Stalled. It keeps trying, slowly. Default 10m.
	// +optional
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s')",message="timeout must be greater than 0"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// Source is where bytes come from: exactly one of its fields is set.
// +kubebuilder:validation:ExactlyOneOf=https;oci;helm;configMap;secret;file;inline
type Source struct {
	// https is a file on a web server.
	// +optional
	HTTPS *HTTPSSource `json:"https,omitempty"`

	// oci is an artifact in an OCI registry.
	// +optional
	OCI *OCISource `json:"oci,omitempty"`

	// helm is a Helm chart, rendered by the provider.
	// +optional
	Helm *HelmSource `json:"helm,omitempty"`

	// configMap is a ConfigMap in the namespace of the Bundle, in the form that
	// ClusterResourceSet takes.
	// +optional
	ConfigMap *ConfigMapSource `json:"configMap,omitempty"`

	// secret is a Secret of the type addons.cluster.x-k8s.io/resource-set in the
	// namespace of the Bundle, in the form that ClusterResourceSet takes.
	// +optional
	Secret *SecretSource `json:"secret,omitempty"`

	// file is a file below the provider's bundle directory, as an image that
	// carries bundles has it.
	// +optional
	File *FileSource `json:"file,omitempty"`

	// inline is the manifests themselves.
	// +optional
	Inline *InlineSource `json:"inline,omitempty"`
}

// HTTPSSource is a file on a web server.
type HTTPSSource struct {
	// url of the file. The digest makes http as safe as https: the bytes that
	// do not match it are not used.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[^/?#]+`
	URL string `json:"url,omitempty"`

	// digest of the file's bytes, sha256: and 64 hexadecimal digits.
	// +required
	Digest Digest `json:"digest,omitempty"`

	// files of an archive (.tar, .tar.gz, .tgz, .tar.zst) to read, in this order.
	// Empty means every .yaml, .yml and .json file, in lexical order.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=1024
	Files []string `json:"files,omitempty"`
}

// OCISource is an artifact in an OCI registry: one or several layers of YAML or
// of archives with YAML, such as a Flux artifact or files of oras push.
// +kubebuilder:validation:ExactlyOneOf=tag;digest;semver
type OCISource struct {
	// repository without a tag, for example ghcr.io/example/bundles/calico.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9.-]+(:[0-9]+)?/[a-z0-9]+([._/-]+[a-z0-9]+)*$`
	Repository string `json:"repository,omitempty"`

	// tag of the artifact. It is resolved to a digest, and resolved again from
	// time to time.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_][A-Za-z0-9._-]*$`
	Tag string `json:"tag,omitempty"`

	// digest of the artifact's manifest.
	// +optional
	Digest Digest `json:"digest,omitempty"`

	// semver is a constraint, in the form of github.com/Masterminds/semver, on
	// the tags that are semantic versions: the newest one is taken.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	SemVer string `json:"semver,omitempty"`

	// layers to read, by their media type or their title
	// (org.opencontainers.image.title), in this order. Empty means all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	Layers []string `json:"layers,omitempty"`

	// files of a layer that is an archive to read, in this order. Empty means
	// every .yaml, .yml and .json file, in lexical order.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=1024
	Files []string `json:"files,omitempty"`

	// secretRef names a Secret in the namespace of the Bundle with credentials:
	// of the type kubernetes.io/dockerconfigjson, or with the keys username and
	// password, or token, and with tls.crt and tls.key for a client certificate.
	// +optional
	SecretRef LocalReference `json:"secretRef,omitzero"`

	// caRef names a Secret in the namespace of the Bundle with the key ca.crt: the
	// authorities that the registry is verified with, in place of the system's.
	// +optional
	CARef LocalReference `json:"caRef,omitzero"`

	// insecure is true for a registry that speaks plain HTTP.
	// +optional
	Insecure *bool `json:"insecure,omitempty"`
}

// HelmSource is a Helm chart. It is rendered once for each minor version of
// Kubernetes, never for each Cluster.
type HelmSource struct {
	// chart is oci:// and a repository, or the https URL of a chart archive
	// (.tgz), or the https URL of a chart repository and the chart's name, for
	// example https://charts.example.com/logging-operator.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^(oci|https?)://[^/?#]+/[^?#]+$`
	Chart string `json:"chart,omitempty"`

	// version of the chart, exactly.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Version string `json:"version,omitempty"`

	// digest of the chart archive. With one, what is published under the version
	// cannot change unnoticed.
	// +optional
	Digest Digest `json:"digest,omitempty"`

	// values of the chart, over its defaults and over valuesFrom.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Values *runtime.RawExtension `json:"values,omitempty"`

	// valuesFrom are ConfigMaps and Secrets in the namespace of the Bundle with
	// values, the later over the earlier.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	ValuesFrom []ValuesReference `json:"valuesFrom,omitempty"`

	// releaseName is .Release.Name in the templates.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=53
	ReleaseName string `json:"releaseName,omitempty"`

	// namespace is .Release.Namespace in the templates, and that of the objects
	// that name none.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// includeCRDs has the CustomResourceDefinitions of the chart's crds folder
	// delivered. Default true.
	// +optional
	// +kubebuilder:default=true
	IncludeCRDs *bool `json:"includeCRDs,omitempty"`

	// hooks says what to do with the chart's hooks: Refuse (default) the chart, or
	// Apply them as ordinary objects. Hooks for tests are always left out.
	// +optional
	// +kubebuilder:default=Refuse
	Hooks HookPolicy `json:"hooks,omitempty"`

	// secretRef names a Secret with credentials for the server of the chart: for
	// oci:// as in an oci source, else with the keys username and password.
	// +optional
	SecretRef LocalReference `json:"secretRef,omitzero"`

	// caRef names a Secret as in an oci source, for charts in a registry.
	// +optional
	CARef LocalReference `json:"caRef,omitzero"`

	// insecure is true for a chart in a registry that speaks plain HTTP.
	// +optional
	Insecure *bool `json:"insecure,omitempty"`
}

// HookPolicy says what to do with the hooks of a Helm chart.
// +kubebuilder:validation:Enum=Refuse;Apply
type HookPolicy string

const (
	// RefuseHooks refuses a chart that has hooks.
	RefuseHooks HookPolicy = "Refuse"

	// ApplyHooks applies hooks as ordinary objects.
	ApplyHooks HookPolicy = "Apply"
)

// ValuesReference names a ConfigMap or a Secret with values of a Helm chart.
type ValuesReference struct {
	// kind is ConfigMap or Secret.
	// +required
	// +kubebuilder:validation:Enum=ConfigMap;Secret
	Kind string `json:"kind,omitempty"`

	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// key with the values as YAML. Default values.yaml.
	// +optional
	// +kubebuilder:default=values.yaml
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
}

// ConfigMapSource is a ConfigMap in the form that ClusterResourceSet takes: each
// value is YAML or JSON. Values in binaryData may be compressed with gzip.
type ConfigMapSource struct {
	// name of the ConfigMap.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// keys to read, in this order. Empty means all, in lexical order.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Keys []string `json:"keys,omitempty"`
}

// SecretSource is a Secret in the form that ClusterResourceSet takes: of the type
// addons.cluster.x-k8s.io/resource-set, each value YAML or JSON, which may be
// compressed with gzip.
type SecretSource struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// keys to read, in this order. Empty means all, in lexical order.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Keys []string `json:"keys,omitempty"`
}

// LocalReference names an object in the same namespace.
type LocalReference struct {
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// FileSource is a file below the provider's bundle directory (flag --bundle-dir).
type FileSource struct {
	// path of the file, relative to the bundle directory and below it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^([^/.][^/]*|\.[^/.][^/]*|\.\.[^/]+)(/([^/.][^/]*|\.[^/.][^/]*|\.\.[^/]+))*$`
	Path string `json:"path,omitempty"`

	// digest of the file's bytes, sha256: and 64 hexadecimal digits. A file
	// with another digest is not used.
	// +required
	Digest Digest `json:"digest,omitempty"`
}

// InlineSource is manifests written in the Bundle itself.
type InlineSource struct {
	// manifests is YAML or JSON, one or several documents. What is larger
	// belongs in one of the other sources.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=262144
	Manifests string `json:"manifests,omitempty"`
}

// Digest is the identity of bytes: sha256: and 64 hexadecimal digits, in the
// form of https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests.
// +kubebuilder:validation:MinLength=71
// +kubebuilder:validation:MaxLength=71
// +kubebuilder:validation:Pattern=`^sha256:[a-f0-9]{64}$`
type Digest string

// ReadyWhen is a condition on one live object of the workload cluster.
type ReadyWhen struct {
	// object that the expression is about. While it does not exist the
	// condition does not hold.
	// +required
	Object ObjectReference `json:"object,omitzero"`

	// expression in CEL (https://cel.dev) with the object as self. It must
	// yield a bool. A field that is absent makes the expression an error,
	// which counts as not ready.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Expression string `json:"expression,omitempty"`
}

// ObjectReference names an object of the workload cluster.
type ObjectReference struct {
	// apiVersion of the object, for example operator.tigera.io/v1.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	APIVersion string `json:"apiVersion,omitempty"`

	// kind of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`

	// namespace of the object. Empty for objects without one.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// BundleStatus is what is known of a Bundle's releases. It is computed from
// scratch and never read to decide.
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

	// images that the pod templates of the release name, sorted, at most 256.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Images []string `json:"images,omitempty"`

	// message says what is wrong with the release. Empty when it can be used.
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
