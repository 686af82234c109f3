package capi

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestOfMetadataOnlyTheLabelForClusterctlIsKept(t *testing.T) {
	t.Parallel()
	const label = "clusterctl.cluster.x-k8s.io/move"
	for name, tc := range map[string]struct{ given, want map[string]string }{
		"none":           {nil, nil},
		"others":         {map[string]string{"team": "a"}, nil},
		"it, and others": {map[string]string{"team": "a", label: ""}, map[string]string{label: ""}},
		"ours":           {map[string]string{label: "addon-bundle"}, map[string]string{label: "addon-bundle"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: "login", UID: "1", ResourceVersion: "7", Labels: tc.given,
				Annotations:   map[string]string{"a": "b"},
				ManagedFields: []metav1.ManagedFieldsEntry{{}}, OwnerReferences: []metav1.OwnerReference{{}},
			}}
			want := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: "login", UID: "1", ResourceVersion: "7", Labels: tc.want,
			}}
			got, err := KeepMoveLabel(given)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}
