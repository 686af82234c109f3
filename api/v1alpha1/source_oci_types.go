package v1alpha1

// OCISource is an artifact in an OCI registry: one or several layers of YAML or
// of archives with YAML, such as a Flux artifact or files of oras push.
// +kubebuilder:validation:ExactlyOneOf=tag;digest;semver
// +kubebuilder:validation:XValidation:rule="!has(self.kustomize) || !has(self.files)",message="files and kustomize exclude each other: a kustomization names its files"
// +kubebuilder:validation:XValidation:rule="!has(self.insecure) || !self.insecure || has(self.digest)",message="without TLS (insecure) an artifact needs its digest: anybody on the way could choose what a tag is"
// +kubebuilder:validation:XValidation:rule="!has(self.insecure) || !self.insecure || !has(self.secretRef) && !has(self.caRef)",message="secretRef and caRef exclude insecure: credentials are not sent without TLS"
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
	// (org.opencontainers.image.title), in this order. Empty means all but
	// documentation, such as a README.md.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	Layers []string `json:"layers,omitempty"`

	// files of a layer that is an archive to read, in this order: paths, and patterns
	// such as deploy/*.yaml and crds/**/*.yaml, which stand for the .yaml, .yml and .json
	// files that fit, in lexical order. A pattern that fits none is an error. Empty means
	// every .yaml, .yml and .json file, in lexical order.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=1024
	Files []string `json:"files,omitempty"`

	// kustomize builds a kustomization of a layer that is an archive, and delivers what it gives, as
	// "kubectl apply -k" does. It is built without network, plug-ins and Helm charts.
	// Default: if there are no files either, a kustomization.yaml, kustomization.yml or
	// Kustomization at the root of the archive is built.
	// +optional
	Kustomize *Kustomize `json:"kustomize,omitempty"`

	// secretRef names a Secret in the namespace of the Bundle with credentials:
	// of the type kubernetes.io/dockerconfigjson, or as that of an https source.
	// +optional
	SecretRef LocalReference `json:"secretRef,omitzero"`

	// caRef names a Secret in the namespace of the Bundle with the key ca.crt: the
	// authorities that the registry is verified with, in place of the system's.
	// +optional
	CARef LocalReference `json:"caRef,omitzero"`

	// insecure is true for a registry that speaks plain HTTP. The artifact then needs its
	// digest, and no credentials are sent.
	// +optional
	Insecure *bool `json:"insecure,omitempty"`

	// verify defines whose signature the artifact must have. Default: verify of the
	// Bundle.
	// +optional
	Verify *Verify `json:"verify,omitempty"`
}
