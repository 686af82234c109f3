package capi_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

const hidden = `Bundle platform/cni does not exist, or its allowedNamespaces does not select namespace shop`

func TestABundleIsUsedFromWhereItAllows(t *testing.T) {
	t.Parallel()
	labelled := &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "gold"}}
	for what, test := range map[string]struct {
		exists    bool
		allowed   *metav1.LabelSelector
		namespace string
		labels    map[string]string
		ownOnly   bool
		class     fault.Class
		problem   string // empty if it is to be had
	}{
		"its own namespace": {exists: true, namespace: "platform"},
		"its own namespace, that it need not select": {
			exists: true, namespace: "platform", allowed: labelled,
		},
		"its own namespace, and the manager sees no other": {exists: true, namespace: "platform", ownOnly: true},
		"it does not exist in its own": {
			namespace: "platform", class: fault.ClassWait, problem: "Bundle cni does not exist in this namespace",
		},
		"it says nothing of others": {exists: true, namespace: "shop", class: fault.ClassWait, problem: hidden},
		"it does not exist":         {namespace: "shop", class: fault.ClassWait, problem: hidden},
		"another label": {
			exists: true, namespace: "shop", allowed: labelled, labels: map[string]string{"tier": "silver"},
			class: fault.ClassWait, problem: hidden,
		},
		"the label":       {exists: true, namespace: "shop", allowed: labelled, labels: map[string]string{"tier": "gold"}},
		"all are allowed": {exists: true, namespace: "shop", allowed: &metav1.LabelSelector{}},
		"an operator that does not exist": {
			exists: true, namespace: "shop", allowed: &metav1.LabelSelector{
				MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: "Like"}},
			},
			class: fault.ClassWait, problem: hidden,
		},
		"the manager sees one namespace": {
			exists: true, namespace: "shop", allowed: &metav1.LabelSelector{}, ownOnly: true,
			class: fault.ClassStall, problem: "Bundle platform/cni is of another namespace",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			scheme := runtime.NewScheme()
			for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1.AddToScheme} {
				if err := add(scheme); err != nil {
					t.Fatal(err)
				}
			}
			made := fake.NewClientBuilder().WithScheme(scheme).
				WithObjects(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: test.labels}})
			if test.exists {
				made.WithObjects(&v1alpha1.Bundle{
					ObjectMeta: metav1.ObjectMeta{Namespace: "platform", Name: "cni"},
					Spec:       v1alpha1.BundleSpec{AllowedNamespaces: test.allowed},
				})
			}
			bundles := capi.Bundles{Reader: made.Build(), OwnOnly: test.ownOnly}
			got, err := bundles.Get(t.Context(), types.NamespacedName{Namespace: "platform", Name: "cni"}, test.namespace)
			if test.problem == "" {
				if err != nil || got.Name != "cni" {
					t.Errorf("want the Bundle, got %v, %v", got, err)
				}
				return
			}
			faulttest.Want(t, err, test.class, v1alpha1.BundleNotFoundReason, test.problem)
		})
	}
}
