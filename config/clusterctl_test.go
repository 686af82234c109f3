package config

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clusterctlv1 "sigs.k8s.io/cluster-api/cmd/clusterctl/api/v1alpha3"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// TestClusterctl takes a management cluster through the life of the provider with the
// real clusterctl. No kubelet runs its Deployment.
func TestClusterctl(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	m := testenv.NewManagement(t, testenv.ManagementOptions{Controllers: true, WithoutProviders: true})
	c := testenv.NewClusterctl(t, "v0.1.0", "v0.2.0")
	run := func(args ...string) string {
		t.Helper()
		out, err := c.Run(t.Context(), append(args, "--kubeconfig="+m.KubeconfigPath())...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}

	g.Expect(c.Init(t.Context(), m, "v0.1.0")).To(Succeed())
	g.Expect(imageOf(t, m)).To(HaveSuffix(":v0.1.0"))
	bundles := &apiextensionsv1.CustomResourceDefinition{}
	g.Expect(m.Client.Get(t.Context(), client.ObjectKey{Name: "bundles.addons.cluster.x-k8s.io"}, bundles)).To(Succeed())
	g.Expect(bundles.Labels).To(HaveKey(clusterctlv1.ClusterctlMoveHierarchyLabel))

	g.Expect(strings.Fields(run("upgrade", "plan"))).To(ContainElements("addon-bundle", "caapb-system", "v0.1.0", "v0.2.0"))
	run("upgrade", "apply", "--addon=caapb-system/bundle:v0.2.0")
	g.Expect(imageOf(t, m)).To(HaveSuffix(":v0.2.0"))

	run("delete", "--addon=bundle", "--include-crd", "--include-namespace")
	testenv.Eventually(t, "the namespace and the CRDs are gone", func() bool {
		namespace := m.Client.Get(t.Context(), client.ObjectKey{Name: namespace}, &corev1.Namespace{})
		crd := m.Client.Get(t.Context(), client.ObjectKeyFromObject(bundles), bundles)
		return apierrors.IsNotFound(namespace) && apierrors.IsNotFound(crd)
	})
}

// imageOf returns the image of the manager.
func imageOf(t *testing.T, m *testenv.Management) string {
	t.Helper()
	deployment := &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: namespace, Name: "caapb-controller-manager"}
	if err := m.Client.Get(t.Context(), key, deployment); err != nil {
		t.Fatal(err)
	}
	return deployment.Spec.Template.Spec.Containers[0].Image
}
