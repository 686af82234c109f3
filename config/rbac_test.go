package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// patience is how long a test waits for a condition.
const patience = 2 * time.Minute

// TestTheManagerMayDoWhatItMust delivers the sample with a manager that has the
// permissions of rbac and no others.
func TestTheManagerMayDoWhatItMust(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		folder string
		args   []string
	}{
		"in all namespaces": {folder: "default"},
		"in one namespace":  {folder: "namespaced", args: []string{"--namespace=team-a"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			installed := ofKind(objects(t, tc.folder),
				"Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
			m := testenv.NewManagement(t, testenv.ManagementOptions{})
			team := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-a"}}
			if err := m.Client.Create(t.Context(), team); err != nil {
				t.Fatal(err)
			}
			for _, object := range installed {
				if err := m.Client.Create(t.Context(), &object); err != nil {
					t.Fatal(err)
				}
			}
			manager, err := testenv.StartManager(t.Context(), testenv.ManagerOptions{
				Management: m, CacheDir: t.TempDir(), Race: true,
				Args: append(tc.args, "--kubeconfig="+managersKubeconfig(t, m)),
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(manager.Stop)
			deliverSample(t, m, manager, team.Name)
			wantMovable(t, m, manager, team.Name)
			if refused := forbidden(manager.Log()); len(refused) > 0 {
				t.Errorf("the manager wanted to do what it may not:\n%s", strings.Join(refused, "\n"))
			}
		})
	}
}

// deliverSample waits until the sample is Ready on a Cluster of a namespace.
func deliverSample(t *testing.T, m *testenv.Management, manager *testenv.Manager, namespace string) {
	t.Helper()
	g := NewWithT(t)
	for _, object := range objects(t, "samples") {
		object.SetNamespace(namespace)
		g.Expect(m.Client.Create(t.Context(), &object)).To(Succeed())
	}
	testenv.NewCluster(t, m, testenv.ClusterOptions{
		Namespace: namespace, Name: "only", Labels: map[string]string{"greeting": "enabled"},
		Workload: testenv.SharedWorkload(t),
	})
	delivered := &v1alpha1.ClusterBundle{}
	g.Eventually(func(g Gomega) {
		key := types.NamespacedName{Namespace: namespace, Name: "greeting-only"}
		g.Expect(m.Client.Get(t.Context(), key, delivered)).To(Succeed())
		g.Expect(meta.IsStatusConditionTrue(delivered.Status.Conditions, v1alpha1.ReadyCondition)).To(BeTrue())
	}).WithTimeout(patience).Should(Succeed(), func() string { return manager.Log() })
}

// TestAManagerOfOneNamespaceMayReadNoSecretElsewhere looks at the difference that the
// binding makes.
func TestAManagerOfOneNamespaceMayReadNoSecretElsewhere(t *testing.T) {
	t.Parallel()
	for _, binding := range ofKind(objects(t, "namespaced"), "ClusterRoleBinding") {
		if role, _, _ := unstructured.NestedString(binding.Object, "roleRef", "name"); role != "caapb-diagnostics-role" {
			t.Errorf("%s binds %s in all namespaces", binding.GetName(), role)
		}
	}
	roles := ofKind(objects(t, "namespaced"), "ClusterRole")
	for _, role := range roles {
		rules, _, _ := unstructured.NestedSlice(role.Object, "rules")
		if text := fmt.Sprint(rules); role.GetName() == "caapb-diagnostics-role" && strings.Contains(text, "secrets") {
			t.Errorf("want no Secrets in a role of all namespaces, got %s", text)
		}
	}
}

// managersKubeconfig writes a kubeconfig of the manager's service account.
func managersKubeconfig(t *testing.T, m *testenv.Management) string {
	t.Helper()
	account := ofKind(components(t), "ServiceAccount")[0]
	config, err := m.ConfigFor("system:serviceaccount:"+account.GetNamespace()+":"+account.GetName(),
		"system:serviceaccounts", "system:serviceaccounts:"+account.GetNamespace(), "system:authenticated")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(kubeconfigOf(config), path); err != nil {
		t.Fatal(err)
	}
	return path
}

func kubeconfigOf(config *rest.Config) clientcmdapi.Config {
	const only = "only"
	return clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{
			only: {Server: config.Host, CertificateAuthorityData: config.CAData},
		},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{
			only: {ClientCertificateData: config.CertData, ClientKeyData: config.KeyData},
		},
		Contexts:       map[string]*clientcmdapi.Context{only: {Cluster: only, AuthInfo: only}},
		CurrentContext: only,
	}
}

// forbidden returns the lines of a log that report a forbidden request.
func forbidden(log string) []string {
	return slices.DeleteFunc(strings.Split(log, "\n"), func(line string) bool {
		return !strings.Contains(line, "forbidden")
	})
}
