package testenv

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

func TestManagementHasTheCRDs(t *testing.T) {
	t.Parallel()
	m := SharedManagement(t)
	crds := &apiextensionsv1.CustomResourceDefinitionList{}
	if err := m.Client.List(t.Context(), crds, client.HasLabels{"clusterctl.cluster.x-k8s.io"}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, crd := range crds.Items {
		got = append(got, crd.Name)
		if !slices.ContainsFunc(crd.Status.Conditions, func(c apiextensionsv1.CustomResourceDefinitionCondition) bool {
			return c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue
		}) {
			t.Errorf("%s is not established", crd.Name)
		}
	}
	for _, want := range []string{
		"bundles.addons.cluster.x-k8s.io",
		"clusterbundles.addons.cluster.x-k8s.io",
		"clusterbundlesets.addons.cluster.x-k8s.io",
		"clusterresourcesets.addons.cluster.x-k8s.io",
		"clusters.cluster.x-k8s.io",
		"genericcontrolplanes.controlplane.cluster.x-k8s.io",
		"genericinfrastructureclusters.infrastructure.cluster.x-k8s.io",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no CRD %s in %q", want, got)
		}
	}
}

func TestSchemeReadsOurKinds(t *testing.T) {
	t.Parallel()
	m := SharedManagement(t)
	for _, list := range []client.ObjectList{
		&v1alpha1.BundleList{}, &v1alpha1.ClusterBundleSetList{}, &v1alpha1.ClusterBundleList{},
	} {
		if err := m.Client.List(t.Context(), list, client.InNamespace(NewNamespace(t, m.APIServer))); err != nil {
			t.Errorf("%T: %v", list, err)
		}
	}
}

func TestControllersCollectGarbage(t *testing.T) {
	t.Parallel()
	m := SharedManagement(t)
	ns := NewNamespace(t, m.APIServer)
	owner := configMap(ns, "owner")
	if err := m.Client.Create(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	owned := configMap(ns, "owned")
	if err := controllerutil.SetOwnerReference(owner, owned, Scheme()); err != nil {
		t.Fatal(err)
	}
	if err := m.Client.Create(t.Context(), owned); err != nil {
		t.Fatal(err)
	}
	if err := m.Client.Delete(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	eventuallyGone(t, m.Client, owned)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	if err := m.Client.Delete(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	eventuallyGone(t, m.Client, namespace)
}

func configMap(namespace, name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

func eventuallyGone(t *testing.T, c client.Client, object client.Object) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		err := c.Get(ctx, client.ObjectKeyFromObject(object), object)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New(object.GetName()+" is there"), err)
	})
}

func TestSharedManagementIsTheSame(t *testing.T) {
	t.Parallel()
	first, second := SharedManagement(t), SharedManagement(t)
	if first != second {
		t.Error("each test gets its own")
	}
}

// ownersOf returns who owns an object, as kind/name.
func ownersOf(object client.Object) []string {
	var owners []string
	for _, r := range object.GetOwnerReferences() {
		if r.UID != types.UID("") {
			owners = append(owners, r.Kind+"/"+r.Name)
		}
	}
	return owners
}

// diff fails the test if got is not want.
func diff(t *testing.T, what string, want, got any, options ...cmp.Option) {
	t.Helper()
	if d := cmp.Diff(want, got, options...); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}
