package v1alpha1

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
