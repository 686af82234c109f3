package capi_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

func TestSelector(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given       metav1.LabelSelector
		wantMessage string
	}{
		"one label": {given: metav1.LabelSelector{MatchLabels: map[string]string{"cni": "calico"}}},
		"one expression": {given: metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "cni", Operator: metav1.LabelSelectorOpIn, Values: []string{"calico", "cilium"}},
		}}},
		"nothing": {wantMessage: "clusterSelector is empty: name at least one label"},
		"empty lists": {
			given: metav1.LabelSelector{
				MatchLabels: map[string]string{}, MatchExpressions: []metav1.LabelSelectorRequirement{},
			},
			wantMessage: "clusterSelector is empty: name at least one label",
		},
		"an operator that is none": {
			given: metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: "cni", Operator: "Near", Values: []string{"a"}},
			}},
			wantMessage: `clusterSelector: "Near" is not a valid label selector operator`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := &v1alpha1.ClusterBundleSet{}
			set.Spec.ClusterSelector = test.given
			selector, err := capi.SelectorOf(set)
			if test.wantMessage == "" {
				if err != nil || !selector.Matches(labels.Set{"cni": "calico"}) || selector.Matches(labels.Set{}) {
					t.Errorf("want a selector for one label, got %v, %v", selector, err)
				}
				return
			}
			if err == nil || selector != nil {
				t.Fatalf("want an error, got %v", selector)
			}
			if fault.ClassOf(err) != fault.ClassStall || fault.ReasonOf(err, "") != v1alpha1.SelectorInvalidReason ||
				err.Error() != test.wantMessage {
				t.Errorf("want it stalled with %q, got %v", test.wantMessage, err)
			}
		})
	}
}
