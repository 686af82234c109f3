package inventory

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestOnlyWhatASetWroteIsAMember(t *testing.T) {
	t.Parallel()
	wrote := []metav1.ManagedFieldsEntry{applied(us.FieldManager(), labelOnly)}
	tests := map[string]struct {
		given metav1.ObjectMeta
		want  bool
	}{
		"our own":                 {metav1.ObjectMeta{Labels: partOf(us.ID()), ManagedFields: wrote}, true},
		"that of another set":     {metav1.ObjectMeta{Labels: partOf(other.ID()), ManagedFields: wrote}, false},
		"one that lost the label": {metav1.ObjectMeta{ManagedFields: wrote}, false},
		"one to which a controller copied it": {
			metav1.ObjectMeta{
				Labels:        partOf(us.ID()),
				ManagedFields: []metav1.ManagedFieldsEntry{updated("kube-controller-manager", labelOnly)},
			}, false,
		},
	}
	for name, test := range tests {
		if got := us.IsMember(&test.given); got != test.want {
			t.Errorf("%s: want %t, got %t", name, test.want, got)
		}
	}
}

func TestWhoSharesAnObject(t *testing.T) {
	t.Parallel()
	shared := &metav1.ObjectMeta{
		Labels: partOf(us.ID()), Annotations: map[string]string{other.SharedAnnotation(): "1", gone.SharedAnnotation(): "1"},
	}
	if !us.IsSharedWith(shared, living) || us.Shares(shared) {
		t.Error("want our object shared with the other set")
	}
	if !other.Shares(shared) {
		t.Error("want the other set to share it")
	}
	withoutLiving := &metav1.ObjectMeta{Labels: partOf(us.ID()), Annotations: map[string]string{gone.SharedAnnotation(): "1"}}
	if us.IsSharedWith(withoutLiving, living) {
		t.Error("want a set that is gone to share nothing")
	}
}

func TestWhatHoldsOthersAndWhatIsImmortal(t *testing.T) {
	t.Parallel()
	space, crd := schema.GroupKind{Kind: "Namespace"}, schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}
	if !HoldsOthers(space) || !HoldsOthers(crd) || HoldsOthers(schema.GroupKind{Kind: "ConfigMap"}) {
		t.Error("want Namespaces and CustomResourceDefinitions to hold others")
	}
	if !IsImmortal(space, "kube-system") || IsImmortal(space, "operator") || IsImmortal(crd, "default") {
		t.Error("want the Namespaces of Kubernetes itself immortal")
	}
}
