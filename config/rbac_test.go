package config

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
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
	g := NewWithT(t)
	installed := ofKind(components(t),
		"Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
	samples := objects(t, "samples")
	m := testenv.NewManagement(t, testenv.ManagementOptions{})
	for _, object := range installed {
		g.Expect(m.Client.Create(t.Context(), &object)).To(Succeed())
	}

	manager, err := testenv.StartManager(t.Context(), testenv.ManagerOptions{
		Management: m, CacheDir: t.TempDir(), Race: true,
		Args: []string{"--kubeconfig=" + managersKubeconfig(t, m)},
	})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(manager.Stop)

	in := testenv.NewNamespace(t, m.APIServer)
	for _, object := range samples {
		object.SetNamespace(in)
		g.Expect(m.Client.Create(t.Context(), &object)).To(Succeed())
	}
	testenv.NewCluster(t, m, testenv.ClusterOptions{
		Namespace: in, Name: "only", Labels: map[string]string{"greeting": "enabled"},
		Workload: testenv.SharedWorkload(t),
	})

	delivered := &v1alpha1.ClusterBundle{}
	g.Eventually(func(g Gomega) {
		key := types.NamespacedName{Namespace: in, Name: "greeting-only"}
		g.Expect(m.Client.Get(t.Context(), key, delivered)).To(Succeed())
		g.Expect(meta.IsStatusConditionTrue(delivered.Status.Conditions, v1alpha1.ReadyCondition)).To(BeTrue())
	}).WithTimeout(patience).Should(Succeed(), func() string { return manager.Log() })
	if refused := forbidden(manager.Log()); len(refused) > 0 {
		t.Errorf("the manager wanted to do what it may not:\n%s", strings.Join(refused, "\n"))
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
