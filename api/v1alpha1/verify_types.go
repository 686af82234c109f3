package v1alpha1

// Verify defines whose cosign signature (https://docs.sigstore.dev) an artifact
// must have: that of a key, or that of an identity (keyless).
// +kubebuilder:validation:ExactlyOneOf=secretRef;identities
// +kubebuilder:validation:XValidation:rule="has(self.identities) == has(self.trustedRootRef)",message="trustedRootRef goes with identities"
type Verify struct {
	// secretRef names a Secret in the namespace of the Bundle with public keys in
	// PEM under keys that end in .pub, as cosign generate-key-pair makes it. The
	// signature of any of them is enough.
	// +optional
	SecretRef LocalReference `json:"secretRef,omitzero"`

	// identities that may have signed. The signature of any of them is enough.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Identities []Identity `json:"identities,omitempty"`

	// trustedRootRef names a ConfigMap in the namespace of the Bundle with the
	// key trusted_root.json: the trusted root of the Sigstore instance that
	// vouches for the identities, as cosign trusted-root create writes it.
	// The instance itself is not contacted.
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
