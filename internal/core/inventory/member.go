package inventory

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// NamespaceKind is the kind of Namespaces, CRDKind that of CustomResourceDefinitions.
var (
	NamespaceKind = schema.GroupKind{Kind: "Namespace"}
	CRDKind       = schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}
)

// IsMember reports whether a live object is a member of the set: it has the set's
// label, and a set wrote it. Controllers copy labels: that of a Service is on its
// EndpointSlices.
func (p Parent) IsMember(live metav1.Object) bool {
	return live.GetLabels()[PartOfLabel] == p.ID() && hasProviderWritten(live, labelPath(PartOfLabel))
}

// Shares reports whether the set applied a live object beside its owner.
func (p Parent) Shares(live metav1.Object) bool {
	_, shared := live.GetAnnotations()[p.SharedAnnotation()]
	return shared && live.GetLabels()[PartOfLabel] != p.ID()
}

// IsSharedWith reports whether another living set applied a live object beside
// its owner, the set p.
func (p Parent) IsSharedWith(live metav1.Object, living Living) bool {
	for id, set := range living {
		if id == p.ID() {
			continue
		}
		if _, shared := live.GetAnnotations()[parentOfSet(set).SharedAnnotation()]; shared {
			return true
		}
	}
	return false
}

// keepAnnotation is Helm's, with the value "keep" for what an uninstall leaves.
const keepAnnotation = "helm.sh/resource-policy"

// IsToBeKept reports whether the author of an object wants it to outlive its bundle.
func IsToBeKept(live metav1.Object) bool { return live.GetAnnotations()[keepAnnotation] == "keep" }

// HoldsOthers reports whether objects of the kind hold what others made, which goes
// with them: Namespaces and CustomResourceDefinitions.
func HoldsOthers(kind schema.GroupKind) bool {
	return kind == NamespaceKind || kind == CRDKind
}

// immortal are the Namespaces that an API server makes anew or refuses to delete.
var immortal = map[string]bool{
	metav1.NamespaceDefault: true, metav1.NamespaceSystem: true, metav1.NamespacePublic: true,
	corev1.NamespaceNodeLease: true,
}

// IsImmortal reports whether an object of the kind and name can never be removed.
func IsImmortal(kind schema.GroupKind, name string) bool {
	return kind == NamespaceKind && immortal[name]
}

// FinalizerManager returns the field manager that put a finalizer on a live object;
// empty if nobody knows.
func FinalizerManager(live metav1.Object, finalizer string) string {
	element := fieldpath.ValueElement(value.NewValueInterface(finalizer))
	path := fieldpath.MakePathOrDie("metadata", "finalizers", element)
	for _, entry := range live.GetManagedFields() {
		if owns(entry, path) {
			return entry.Manager
		}
	}
	return ""
}
