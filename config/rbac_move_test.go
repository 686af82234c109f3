package config

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// wantMovable waits until the manager has labelled what a Bundle of a namespace names.
func wantMovable(t *testing.T, m *testenv.Management, manager *testenv.Manager, namespace string) {
	t.Helper()
	g := NewWithT(t)
	meta := metav1.ObjectMeta{Namespace: namespace, Name: "named"}
	named := []client.Object{&corev1.Secret{ObjectMeta: meta}, &corev1.ConfigMap{ObjectMeta: meta}}
	for _, object := range named {
		g.Expect(m.Client.Create(t.Context(), object)).To(Succeed())
	}
	g.Expect(m.Client.Create(t.Context(), &v1alpha1.Bundle{ObjectMeta: meta, Spec: v1alpha1.BundleSpec{
		Releases: []v1alpha1.Release{{Version: "1.0.0", Phases: []v1alpha1.Phase{{Name: "all", Sources: []v1alpha1.Source{
			{Secret: &v1alpha1.SecretSource{Name: "named"}}, {ConfigMap: &v1alpha1.ConfigMapSource{Name: "named"}},
		}}}}},
	}})).To(Succeed())
	for _, object := range named {
		g.Eventually(func() (map[string]string, error) {
			err := m.Client.Get(t.Context(), client.ObjectKeyFromObject(object), object)
			return object.GetLabels(), err
		}).WithTimeout(patience).Should(HaveKey("clusterctl.cluster.x-k8s.io/move"), func() string { return manager.Log() })
	}
}
