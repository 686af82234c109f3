package v1alpha1

// ArtifactStatus is what a source stands for now that names a tag, a constraint, or
// the version of a chart.
type ArtifactStatus struct {
	// phase of the source.
	// +required
	Phase string `json:"phase,omitempty"`

	// reference is where the artifact is: the repository, or oci:// or the URL of a
	// chart, without a tag or a version.
	// +required
	// +kubebuilder:validation:MaxLength=2048
	Reference string `json:"reference,omitempty"`

	// tag of the artifact, or the version of a chart. It is empty where the source
	// names a digest.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Tag string `json:"tag,omitempty"`

	// digest of the artifact's manifest, or index; of a chart that is not in a
	// registry that of its archive.
	// +required
	Digest Digest `json:"digest,omitempty"`
}
