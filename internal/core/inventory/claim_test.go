package inventory

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// The sets of the tests: ours, another one with a ClusterBundle for the Cluster,
// and one that has none any more.
var (
	us     = ParentOf("team-a", "cni")
	other  = ParentOf("team-b", "logging")
	gone   = ParentOf("team-a", "cni-old")
	living = LivingOf(
		types.NamespacedName{Namespace: "team-a", Name: "cni"},
		types.NamespacedName{Namespace: "team-b", Name: "logging"},
	)
)

const labelOnly = `{"f:metadata":{"f:labels":{"f:applyset.kubernetes.io/part-of":{}}}}`

// applied and updated return an entry of the field manager.
func applied(manager, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationApply, APIVersion: "v1",
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields),
	}
}

func updated(manager, fields string) metav1.ManagedFieldsEntry {
	entry := applied(manager, fields)
	entry.Operation = metav1.ManagedFieldsOperationUpdate
	return entry
}

func partOf(id string) map[string]string { return map[string]string{PartOfLabel: id} }

func TestViewOf(t *testing.T) {
	t.Parallel()
	long := ParentOf("team-a", strings.Repeat("s", 200))
	helm := map[string]string{
		"meta.helm.sh/release-name": "calico", "meta.helm.sh/release-namespace": "tigera-operator",
	}
	deleted := metav1.NewTime(time.Unix(1, 0))
	tests := map[string]struct {
		given metav1.ObjectMeta
		want  View
	}{
		"nothing says who": {want: View{Claim: Free}},
		"what kubectl applied": {
			given: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{updated("kubectl-client-side-apply", `{}`)}},
			want:  View{Claim: Free},
		},
		"labels that claim nothing": {
			given: metav1.ObjectMeta{Labels: map[string]string{"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "c"}},
			want:  View{Claim: Free},
		},
		"ours that lost its label": {
			given: metav1.ObjectMeta{
				Annotations:   map[string]string{SHA256Annotation: "1"},
				ManagedFields: []metav1.ManagedFieldsEntry{applied(us.FieldManager(), labelOnly)},
			},
			want: View{Claim: Free},
		},
		"our own": {
			given: metav1.ObjectMeta{Labels: partOf(us.ID()), Annotations: map[string]string{SHA256Annotation: "1"}},
			want:  View{Claim: Ours, SHA256: "1"},
		},
		"our own, and nobody knows what was applied": {
			given: metav1.ObjectMeta{Labels: partOf(us.ID())}, want: View{Claim: Ours},
		},
		"our own, that another set shares": {
			given: metav1.ObjectMeta{
				Labels:      partOf(us.ID()),
				Annotations: map[string]string{SHA256Annotation: "1", other.SharedAnnotation(): "2"},
			},
			want: View{Claim: Ours, SHA256: "1"},
		},
		"our own, that came from Helm once": {
			given: metav1.ObjectMeta{Labels: partOf(us.ID()), Annotations: helm}, want: View{Claim: Ours},
		},
		"our own, that is being deleted": {
			given: metav1.ObjectMeta{Labels: partOf(us.ID()), DeletionTimestamp: &deleted},
			want:  View{Claim: Ours, Terminating: true},
		},
		"another living set's": {
			given: metav1.ObjectMeta{Labels: partOf(other.ID()), Annotations: map[string]string{SHA256Annotation: "1"}},
			want:  View{Claim: OtherSet, Owner: "ClusterBundleSet team-b/logging", OwnerSHA256: "1"},
		},
		"another living set's, that we share": {
			given: metav1.ObjectMeta{
				Labels:      partOf(other.ID()),
				Annotations: map[string]string{SHA256Annotation: "1", us.SharedAnnotation(): "2"},
			},
			want: View{Claim: OtherSet, Owner: "ClusterBundleSet team-b/logging", SHA256: "2", OwnerSHA256: "1"},
		},
		"another living set's, that came from Helm once": {
			given: metav1.ObjectMeta{Labels: partOf(other.ID()), Annotations: helm},
			want:  View{Claim: OtherSet, Owner: "ClusterBundleSet team-b/logging"},
		},
		"that of a set that is gone": {
			given: metav1.ObjectMeta{
				Labels:        partOf(gone.ID()),
				Annotations:   map[string]string{SHA256Annotation: "1", us.SharedAnnotation(): "1"},
				ManagedFields: []metav1.ManagedFieldsEntry{applied(gone.FieldManager(), labelOnly)},
			},
			want: View{Claim: Abandoned, Owner: "ClusterBundleSet team-a/cni-old"},
		},
		"that of a set that is gone, from before each set had a field manager": {
			given: metav1.ObjectMeta{
				Labels:        partOf(gone.ID()),
				ManagedFields: []metav1.ManagedFieldsEntry{applied("caapb", labelOnly)},
			},
			want: View{Claim: Abandoned, Owner: "a ClusterBundleSet that this Cluster no longer has"},
		},
		"that of a set that is gone and had a long name": {
			given: metav1.ObjectMeta{
				Labels:        partOf(long.ID()),
				ManagedFields: []metav1.ManagedFieldsEntry{applied(long.FieldManager(), labelOnly)},
			},
			want: View{Claim: Abandoned, Owner: "a ClusterBundleSet that this Cluster no longer has"},
		},
		"that of a set that is gone, whose fields we have moved but not applied yet": {
			given: metav1.ObjectMeta{
				Labels:        partOf(gone.ID()),
				ManagedFields: []metav1.ManagedFieldsEntry{applied(us.FieldManager(), labelOnly)},
			},
			want: View{Claim: Abandoned, Owner: "a ClusterBundleSet that this Cluster no longer has"},
		},
		"another tool's ApplySet": {
			given: metav1.ObjectMeta{
				Labels:        partOf("applyset-x-v1"),
				ManagedFields: []metav1.ManagedFieldsEntry{applied("kubectl", labelOnly)},
			},
			want: View{Claim: Foreign, Owner: "the ApplySet applyset-x-v1"},
		},
		"another tool's ApplySet, which took it over from a set": {
			given: metav1.ObjectMeta{
				Labels: partOf("applyset-x-v1"),
				ManagedFields: []metav1.ManagedFieldsEntry{
					applied(gone.FieldManager(), `{"f:data":{"f:key":{}}}`), applied("kubectl", labelOnly),
				},
			},
			want: View{Claim: Foreign, Owner: "the ApplySet applyset-x-v1"},
		},
		"another tool's ApplySet, with managed fields that nobody can read": {
			given: metav1.ObjectMeta{
				Labels:        partOf("applyset-x-v1"),
				ManagedFields: []metav1.ManagedFieldsEntry{applied(gone.FieldManager(), `{"f:metadata"`), {Manager: "caapb"}},
			},
			want: View{Claim: Foreign, Owner: "the ApplySet applyset-x-v1"},
		},
		"another tool's ApplySet before Helm": {
			given: metav1.ObjectMeta{Labels: partOf("applyset-x-v1"), Annotations: helm},
			want:  View{Claim: Foreign, Owner: "the ApplySet applyset-x-v1"},
		},
		"a Helm release": {
			given: metav1.ObjectMeta{Annotations: helm},
			want:  View{Claim: Foreign, Owner: "the Helm release tigera-operator/calico"},
		},
		"a Helm release that is being deleted": {
			given: metav1.ObjectMeta{Annotations: helm, DeletionTimestamp: &deleted},
			want:  View{Claim: Foreign, Owner: "the Helm release tigera-operator/calico", Terminating: true},
		},
		"a Flux Kustomization": {
			given: metav1.ObjectMeta{Labels: map[string]string{
				"kustomize.toolkit.fluxcd.io/name": "cni", "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
			}},
			want: View{Claim: Foreign, Owner: "the Flux Kustomization flux-system/cni"},
		},
		"a Flux HelmRelease": {
			given: metav1.ObjectMeta{Labels: map[string]string{
				"helm.toolkit.fluxcd.io/name": "cni", "helm.toolkit.fluxcd.io/namespace": "flux-system",
			}},
			want: View{Claim: Foreign, Owner: "the Flux HelmRelease flux-system/cni"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ViewOf(&test.given, us, living)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Claim != Foreign && strings.Contains(got.Owner, "applyset-") {
				t.Errorf("the owner is a hash: %s", got.Owner)
			}
		})
	}
}

func TestASetWithoutAClusterBundleOfItsOwnSeesItsObjectsAsOurs(t *testing.T) {
	t.Parallel()
	live := &metav1.ObjectMeta{Labels: partOf(us.ID())}
	if got := ViewOf(live, us, nil).Claim; got != Ours {
		t.Errorf("want Ours, got %q", got)
	}
}
