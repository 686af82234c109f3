package config

import (
	"os"
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
// real clusterctl: init, upgrade to the next minor version, delete. The manager runs
// outside, as the ServiceAccount that clusterctl made, since no kubelet runs its Deployment.
func TestClusterctl(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	m, audit := audited(t, testenv.ManagementOptions{Controllers: true, WithoutProviders: true})
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

	l := newLife(t, m, "default")
	l.start()
	l.checkDiagnostics()
	l.deliver()
	wantMovable(t, m, l.manager, l.namespace)
	l.upgrade()
	g.Expect(run("describe", "cluster", "only", "--namespace=default")).To(ContainSubstring("Cluster default/only"))

	// The ServiceAccount is made anew by the upgrade, and so is its token.
	l.manager.Stop()
	l.workload.Reset()
	g.Expect(strings.Fields(run("upgrade", "plan"))).To(ContainElements("addon-bundle", "caapb-system", "v0.1.0", "v0.2.0"))
	run("upgrade", "apply", "--addon=caapb-system/bundle:v0.2.0")
	g.Expect(imageOf(t, m)).To(HaveSuffix(":v0.2.0"))
	l.start()
	g.Eventually(func() int { return l.workload.Count("watch", "") }).WithTimeout(patience).Should(BeNumerically(">", 0))
	g.Expect(l.workload.Writes()).To(BeEmpty(), "an upgrade of the manager writes nothing to a workload cluster")

	l.uninstall()
	l.manager.Stop()
	checkPermissions(t, audit, "default")

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

// TestClusterctlReplacesVariablesAndImages looks at what clusterctl makes of the file.
func TestClusterctlReplacesVariablesAndImages(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		settings string
		want     []string
	}{
		"nothing is set": {
			want: []string{
				"--diagnostics-address=:8443", "--insecure-diagnostics=false",
				"image: ghcr.io/cluster-bundle/cluster-api-addon-provider-bundle:v0.1.0\n",
			},
		},
		"a mirror, a tag and both variables": {
			settings: "CAAPB_DIAGNOSTICS_ADDRESS: localhost:8080\nCAAPB_INSECURE_DIAGNOSTICS: \"true\"\n" +
				"images:\n  addon-bundle: {repository: registry.example.com/mirror, tag: v0.1.0-ours}\n",
			want: []string{
				"--diagnostics-address=localhost:8080", "--insecure-diagnostics=true",
				"image: registry.example.com/mirror/cluster-api-addon-provider-bundle:v0.1.0-ours\n",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := testenv.NewClusterctl(t, "v0.1.0")
			config, err := os.OpenFile(c.ConfigPath(), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := config.WriteString(tc.settings); err != nil {
				t.Fatal(err)
			}
			got, err := c.Run(t.Context(), "generate", "provider", "--addon=bundle:v0.1.0")
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range append(tc.want, "namespace: "+namespace) {
				if !strings.Contains(got, want) {
					t.Errorf("want %q", want)
				}
			}
		})
	}
}
