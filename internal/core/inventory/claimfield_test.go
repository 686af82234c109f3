package inventory

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAFieldIsClaimedFromWhoeverHasIt(t *testing.T) {
	t.Parallel()
	const ours = "caapb.default.cni"
	entry := func(manager string, operation metav1.ManagedFieldsOperationType, fields string) metav1.ManagedFieldsEntry {
		e := metav1.ManagedFieldsEntry{Manager: manager, Operation: operation, APIVersion: "apps/v1", FieldsType: "FieldsV1", FieldsV1: &metav1.FieldsV1{}}
		e.FieldsV1.SetRawString(fields)
		return e
	}
	apply, update := metav1.ManagedFieldsOperationApply, metav1.ManagedFieldsOperationUpdate
	claimed := entry(ours, apply, `{"f:spec":{"f:strategy":{"f:rollingUpdate":{}}}}`)
	tests := map[string]struct{ given, want []metav1.ManagedFieldsEntry }{
		"nobody's, as one that was set by default": {
			[]metav1.ManagedFieldsEntry{entry(ours, apply, `{"f:spec":{"f:strategy":{"f:type":{}}}}`)},
			[]metav1.ManagedFieldsEntry{entry(ours, apply, `{"f:spec":{"f:strategy":{"f:rollingUpdate":{},"f:type":{}}}}`)},
		},
		"another's, with all that is below it": {
			[]metav1.ManagedFieldsEntry{entry("tool", update, `{"f:spec":{"f:replicas":{},"f:strategy":{"f:rollingUpdate":{".":{},"f:maxSurge":{}}}}}`)},
			[]metav1.ManagedFieldsEntry{entry("tool", update, `{"f:spec":{"f:replicas":{}}}`), claimed},
		},
		"that of our own update is another's": {
			[]metav1.ManagedFieldsEntry{entry(ours, update, `{"f:spec":{"f:strategy":{"f:rollingUpdate":{"f:maxSurge":{}}}}}`)},
			[]metav1.ManagedFieldsEntry{entry(ours, update, `{}`), claimed},
		},
		"of an object without any": {nil, []metav1.ManagedFieldsEntry{claimed}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ClaimField(test.given, ours, "apps/v1", []string{"spec", "strategy", "rollingUpdate"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("managed fields (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := ClaimField([]metav1.ManagedFieldsEntry{entry("tool", update, "{")}, ours, "apps/v1", []string{"spec"}); err == nil {
		t.Error("want an error for what cannot be read")
	}
}
