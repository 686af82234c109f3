package config

import (
	"maps"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// TestAManagementClusterThatManagesItself delivers the sample to a Cluster that is the
// management cluster: the manager finds its own Pod there, and connects as in a Pod.
func TestAManagementClusterThatManagesItself(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	m := testenv.NewManagement(t, testenv.ManagementOptions{})
	for _, object := range ofKind(components(t), "Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding") {
		g.Expect(m.Client.Create(t.Context(), &object)).To(Succeed())
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "caapb-controller-manager-0"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "manager", Image: "manager"}}},
	}
	// Its name and UID are all that is read of it.
	g.Expect(client.WithFieldValidation(m.Client, metav1.FieldValidationStrict).Create(t.Context(), restricted(pod))).To(Succeed())

	l := newLife(t, m, "default")
	outside := testenv.NewProxy(t, m.APIServer)
	l.target = outside
	l.env = []string{"POD_NAME=" + pod.Name, "POD_UID=" + string(pod.UID)}
	l.start()
	l.deliver()
	g.Expect(outside.Writes()).To(BeEmpty(), "the address of the kubeconfig is not used from inside")

	var before map[string]string
	g.Eventually(func() bool {
		last := before
		before = l.versions()
		return maps.Equal(last, before)
	}).WithTimeout(patience).WithPolling(5*time.Second).Should(BeTrue(), "the objects of the provider come to rest")
}

// restricted makes a Pod one that its Namespace lets in.
func restricted(pod *corev1.Pod) *corev1.Pod {
	pod.Spec.SecurityContext = &corev1.PodSecurityContext{
		RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	return pod
}

// versions returns the resourceVersions of the sample, and of what became of it.
func (l *life) versions() map[string]string {
	l.t.Helper()
	found := make(map[string]string)
	for _, kind := range []metav1.TypeMeta{
		{APIVersion: "addons.cluster.x-k8s.io/v1alpha1", Kind: "Bundle"},
		{APIVersion: "addons.cluster.x-k8s.io/v1alpha1", Kind: "ClusterBundleSet"},
		{APIVersion: "addons.cluster.x-k8s.io/v1alpha1", Kind: "ClusterBundle"},
		{APIVersion: "cluster.x-k8s.io/v1beta2", Kind: "Cluster"},
		{APIVersion: "example.com/v1", Kind: "Greeting"},
		{APIVersion: "v1", Kind: "ConfigMap"},
		{APIVersion: "v1", Kind: "Secret"},
	} {
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion(kind.APIVersion)
		list.SetKind(kind.Kind + "List")
		if err := l.management.Client.List(l.t.Context(), list); err != nil {
			l.t.Fatal(err)
		}
		for _, object := range list.Items {
			found[kind.Kind+"/"+object.GetNamespace()+"/"+object.GetName()] = object.GetResourceVersion()
		}
	}
	return found
}
