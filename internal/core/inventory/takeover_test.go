package inventory

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestTakeOverFields(t *testing.T) {
	t.Parallel()
	const (
		helmMark = `{"f:metadata":{"f:annotations":{"f:meta.helm.sh/release-name":{}}}}`
		fluxMark = `{"f:metadata":{"f:labels":{"f:kustomize.toolkit.fluxcd.io/name":{}}}}`
	)
	created := metav1.NewTime(time.Unix(10, 0))
	third := ParentOf("team-c", "cni")
	ours := us.FieldManager()
	helm := map[string]string{"meta.helm.sh/release-name": "calico"}
	tests := map[string]struct {
		givenLabels, givenAnnotations map[string]string
		given                         []metav1.ManagedFieldsEntry
		want                          []string // the field managers of the entries that stay
	}{
		"what nobody wrote": {},
		"what kubectl applied, and Kubernetes and people changed": {
			given: []metav1.ManagedFieldsEntry{
				updated("kubectl-client-side-apply", fieldA), updated("kubectl-edit", fieldB),
				status(updated("kube-controller-manager", fieldC)), updated("kube-controller-manager", fieldC),
			},
			want: []string{ours, "kubectl-edit", "kube-controller-manager", "kube-controller-manager"},
		},
		"what a ClusterResourceSet created": {
			given: []metav1.ManagedFieldsEntry{at(10, updated("manager", fieldA))}, want: []string{ours},
		},
		"what a ClusterResourceSet patched since, and kubectl after it": {
			given: []metav1.ManagedFieldsEntry{
				at(20, updated("kubectl-client-side-apply", fieldB)), at(30, updated("manager", fieldA)),
			},
			want: []string{ours},
		},
		"what kubectl created, and an operator of the same name patched": {
			given: []metav1.ManagedFieldsEntry{
				at(10, updated("kubectl-client-side-apply", fieldA)), at(30, updated("manager", fieldB)),
			},
			want: []string{ours, "manager"},
		},
		"what a set applied that lost its label, and an operator patched": {
			given: []metav1.ManagedFieldsEntry{at(20, applied(ours, fieldA)), at(30, updated("manager", fieldB))},
			want:  []string{ours, "manager"},
		},
		"what Kubernetes created, and a ClusterResourceSet patched": {
			given: []metav1.ManagedFieldsEntry{
				at(10, updated("kube-controller-manager", fieldB)), at(30, updated("manager", fieldA)),
			},
			want: []string{"kube-controller-manager", ours},
		},
		"what a set that is gone left": {
			givenLabels: partOf(gone.ID()),
			given: []metav1.ManagedFieldsEntry{
				applied(gone.FieldManager(), labelOnly), updated("kubectl-client-side-apply", fieldA), updated("manager", fieldB),
			},
			want: []string{ours, "kubectl-client-side-apply", "manager"},
		},
		"what a set that is gone shared with another": {
			givenLabels: partOf(gone.ID()),
			given: []metav1.ManagedFieldsEntry{
				applied(gone.FieldManager(), labelOnly), applied(other.FieldManager(), fieldA),
			},
			want: []string{ours, "caapb.team-b.logging"},
		},
		"what all sets applied once": {
			givenLabels: partOf(gone.ID()),
			given:       []metav1.ManagedFieldsEntry{applied("caapb", labelOnly)},
			want:        []string{ours},
		},
		"ours, from before each set had a field manager": {
			givenLabels: partOf(us.ID()),
			given:       []metav1.ManagedFieldsEntry{applied("caapb", labelOnly), applied(other.FieldManager(), fieldA)},
			want:        []string{ours, "caapb.team-b.logging"},
		},
		"ours, that a set shared which is gone": {
			givenLabels: partOf(us.ID()),
			given:       []metav1.ManagedFieldsEntry{applied(ours, labelOnly), applied(gone.FieldManager(), fieldA)},
			want:        []string{ours},
		},
		"ours, that people changed": {
			givenLabels: partOf(us.ID()),
			given:       []metav1.ManagedFieldsEntry{applied(ours, labelOnly), updated("kubectl-client-side-apply", fieldA)},
			want:        []string{ours, "kubectl-client-side-apply"},
		},
		"that of a living set, of which a third has a share": {
			givenLabels: partOf(other.ID()),
			given: []metav1.ManagedFieldsEntry{
				applied(other.FieldManager(), labelOnly), applied(third.FieldManager(), fieldA),
				updated("kubectl-client-side-apply", fieldB),
			},
			want: []string{ours, "caapb.team-c.cni", "kubectl-client-side-apply"},
		},
		"that of a living set, from before each set had a field manager": {
			givenLabels: partOf(other.ID()),
			given:       []metav1.ManagedFieldsEntry{applied("caapb", labelOnly)},
			want:        []string{ours},
		},
		"that of Helm": {
			givenAnnotations: helm,
			given:            []metav1.ManagedFieldsEntry{updated("helm", helmMark), updated("cainjector", fieldA)},
			want:             []string{ours, "cainjector"},
		},
		"that of Helm in a controller of Flux": {
			givenAnnotations: helm,
			given:            []metav1.ManagedFieldsEntry{applied("helm-controller", helmMark)},
			want:             []string{ours},
		},
		"that of Helm in Cluster API's provider": {
			givenAnnotations: helm,
			given:            []metav1.ManagedFieldsEntry{at(10, updated("helm", fieldA)), at(20, updated("manager", helmMark))},
			want:             []string{ours},
		},
		"that of a Flux Kustomization": {
			givenLabels: map[string]string{"kustomize.toolkit.fluxcd.io/name": "cni"},
			given: []metav1.ManagedFieldsEntry{
				applied("kustomize-controller", fluxMark), updated("operator", fieldA), status(updated("operator", fluxMark)),
			},
			want: []string{ours, "operator", "operator"},
		},
		"that of another tool's ApplySet": {
			givenLabels: partOf("applyset-x-v1"),
			given:       []metav1.ManagedFieldsEntry{applied("tool", labelOnly), applied("operator", fieldA)},
			want:        []string{ours, "operator"},
		},
	}
	known := LivingOf(
		types.NamespacedName{Namespace: "team-a", Name: "cni"}, types.NamespacedName{Namespace: "team-c", Name: "cni"},
		types.NamespacedName{Namespace: "team-b", Name: "logging"},
	)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			live := &metav1.ObjectMeta{
				Labels: test.givenLabels, Annotations: test.givenAnnotations,
				CreationTimestamp: created, ManagedFields: test.given,
			}
			entries, changed, err := TakeOverFields(live, us, known)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range entries {
				got = append(got, e.Manager)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("field managers (-want +got):\n%s", diff)
			}
			if moved := cmp.Diff(test.given, entries) != ""; changed != moved {
				t.Errorf("reports a change: %t, though it is %t", changed, moved)
			}
			live.ManagedFields = entries
			if _, changed, err := TakeOverFields(live, us, known); changed || err != nil {
				t.Errorf("want nothing left to move after a pass that was cut, got %t, %v", changed, err)
			}
		})
	}
}
