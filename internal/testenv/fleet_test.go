package testenv

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestABareClusterIsAvailableAndHasItsKubeconfig(t *testing.T) {
	t.Parallel()
	m := SharedManagement(t)
	ns := NewNamespace(t, m.APIServer)
	err := m.AddBareCluster(t.Context(), ClusterOptions{
		Namespace: ns, Name: "bare", Labels: map[string]string{"cni": "none"}, Workload: &Workload{APIServer: m.APIServer},
	})
	if err != nil {
		t.Fatal(err)
	}
	cluster, secret := &clusterv1.Cluster{}, &corev1.Secret{}
	if err := m.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "bare"}, cluster); err != nil {
		t.Fatal(err)
	}
	if err := m.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "bare-kubeconfig"}, secret); err != nil {
		t.Fatal(err)
	}
	if !conditions.IsTrue(cluster, clusterv1.ClusterAvailableCondition) || cluster.Labels["cni"] != "none" ||
		!strings.HasSuffix(m.Config.Host, fmt.Sprintf(":%d", cluster.Spec.ControlPlaneEndpoint.Port)) {
		t.Errorf("got the Cluster %+v", cluster)
	}
	if string(secret.Data["value"]) != string(m.Kubeconfig()) ||
		secret.Labels[clusterv1.ClusterNameLabel] != "bare" || secret.Type != clusterv1.ClusterSecretType {
		t.Errorf("got the Secret %s of the type %s with the labels %v", secret.Name, secret.Type, secret.Labels)
	}
}

func TestStoredCountsWhatEtcdHoldsOverSeveralPages(t *testing.T) {
	t.Parallel()
	m := SharedManagement(t)
	ns := NewNamespace(t, m.APIServer)
	const objects, size = pageObjects + 1, 100
	for i := range objects {
		if err := m.Client.Create(t.Context(), &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: fmt.Sprintf("c-%d", i)},
			Data:       map[string]string{"text": strings.Repeat("x", size)},
		}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := m.Stored(t.Context(), "/registry/configmaps/"+ns+"/")
	if err != nil {
		t.Fatal(err)
	}
	if got.Objects != objects || got.Bytes < objects*size || got.Bytes > objects*1000 {
		t.Errorf("got %+v, want %d objects of a little more than %d bytes", got, objects, size)
	}
	if none, err := m.Stored(t.Context(), "/registry/configmaps/"+ns+"-other/"); err != nil || none != (Stored{}) {
		t.Errorf("got %+v, %v below a prefix that nothing has", none, err)
	}
}
