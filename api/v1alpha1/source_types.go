package v1alpha1

const (
	// SourceLabel is the label of a Secret that sources may name with whatever type it
	// has, with the value "true". Without it they may name those of the types that are
	// made for their purpose. Secrets of service accounts, of bootstrap tokens and of
	// Cluster API are never read.
	SourceLabel = "addons.cluster.x-k8s.io/source"

	// HostAnnotation is the annotation of a Secret with the servers that its login and
	// its client certificate are for: names with their ports unless those are 443,
	// separated by commas. The key host of the Secret has the same meaning.
	HostAnnotation = "addons.cluster.x-k8s.io/host"
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

	// file is a file below the provider's bundle directory, for images of the
	// provider that contain bundles.
	// +optional
	File *FileSource `json:"file,omitempty"`

	// inline is the manifests themselves.
	// +optional
	Inline *InlineSource `json:"inline,omitempty"`
}

// HTTPSSource is a file on a web server.
// +kubebuilder:validation:XValidation:rule="self.url.startsWith('https://') || !has(self.secretRef) && !has(self.caRef)",message="secretRef and caRef need a url with https://: credentials are not sent without TLS"
// +kubebuilder:validation:XValidation:rule="!has(self.kustomize) || !has(self.files)",message="files and kustomize exclude each other: a kustomization names its files"
type HTTPSSource struct {
	// url of the file. The digest makes http as safe as https: the bytes that
	// do not match it are not used. Credentials are never sent over http.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^(https://[^/?#]+|http://[^/?#@]+([/?#]|$))`
	URL string `json:"url,omitempty"`

	// digest of the file's bytes, sha256: and 64 hexadecimal digits.
	// +required
	Digest Digest `json:"digest,omitempty"`

	// files of an archive (.tar, .tar.gz, .tgz, .tar.zst) to read, in this order: paths, and
	// patterns such as deploy/*.yaml and crds/**/*.yaml, which stand for the .yaml, .yml
	// and .json files that fit, in lexical order. A pattern that fits none is an error.
	// Empty means every .yaml, .yml and .json file, in lexical order.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=1024
	Files []string `json:"files,omitempty"`

	// kustomize builds a kustomization of the archive, and delivers what it gives, as
	// "kubectl apply -k" does. It is built without network, plug-ins and Helm charts.
	// Default: if there are no files either, a kustomization.yaml, kustomization.yml or
	// Kustomization at the root of the archive is built.
	// +optional
	Kustomize *Kustomize `json:"kustomize,omitempty"`

	// secretRef names a Secret in the namespace of the Bundle with credentials: with
	// the keys username and password, or token, and with tls.crt and tls.key for a
	// client certificate. They are sent to the server of the url only, which the key host
	// or the annotation addons.cluster.x-k8s.io/host must name. The Secret is of the type
	// kubernetes.io/basic-auth or kubernetes.io/tls, or has the label
	// addons.cluster.x-k8s.io/source: "true".
	// +optional
	SecretRef LocalReference `json:"secretRef,omitzero"`

	// caRef names a Secret in the namespace of the Bundle with the key ca.crt: the
	// authorities that the server is verified with, in place of the system's. Types and
	// label are those of secretRef.
	// +optional
	CARef LocalReference `json:"caRef,omitzero"`
}

// Kustomize names a kustomization in an archive.
type Kustomize struct {
	// path of the folder with the kustomization.yaml in the archive. Default: the root
	// of the archive.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^([^/.][^/]*|\.[^/.][^/]*|\.\.[^/]+)(/([^/.][^/]*|\.[^/.][^/]*|\.\.[^/]+))*$`
	Path string `json:"path,omitempty"`
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
