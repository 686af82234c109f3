package v1alpha1

import (
	"k8s.io/apimachinery/pkg/runtime"
)

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

	// verify says whose signature the artifact must have. Default: that of the
	// Bundle.
	// +optional
	Verify *Verify `json:"verify,omitempty"`
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

	// verify says whose signature a chart in a registry must have. Default: that
	// of the Bundle.
	// +optional
	Verify *Verify `json:"verify,omitempty"`
}

// Verify says whose cosign signature (https://docs.sigstore.dev) an artifact must
// have: that of a key, or that of an identity (keyless).
// +kubebuilder:validation:ExactlyOneOf=secretRef;identities
// +kubebuilder:validation:XValidation:rule="has(self.identities) == has(self.trustedRootRef)",message="trustedRootRef goes with identities"
type Verify struct {
	// secretRef names a Secret in the namespace of the Bundle with public keys in
	// PEM under keys that end in .pub, as cosign generate-key-pair makes it. The
	// signature of any of them will do.
	// +optional
	SecretRef LocalReference `json:"secretRef,omitzero"`

	// identities that may have signed. The signature of any of them will do.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Identities []Identity `json:"identities,omitempty"`

	// trustedRootRef names a ConfigMap in the namespace of the Bundle with the
	// key trusted_root.json: the trusted root of the Sigstore instance that
	// vouches for the identities, as cosign trusted-root create writes it.
	// Nothing is asked of the instance itself.
	// +optional
	TrustedRootRef LocalReference `json:"trustedRootRef,omitzero"`
}

// Identity is who a certificate was issued to, and who vouched for that. One of
// issuer and issuerRegExp is set, and one of subject and subjectRegExp.
type Identity struct {
	// issuer is the URL of the OpenID Connect issuer.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Issuer string `json:"issuer,omitempty"`

	// issuerRegExp matches the whole URL of the issuer, in the syntax of Go
	// (https://pkg.go.dev/regexp/syntax).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	IssuerRegExp string `json:"issuerRegExp,omitempty"`

	// subject is the alternative name in the certificate: an e-mail address or
	// the URL of a workflow.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Subject string `json:"subject,omitempty"`

	// subjectRegExp matches the whole subject, in the syntax of Go.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	SubjectRegExp string `json:"subjectRegExp,omitempty"`
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
