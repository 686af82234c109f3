package testenv

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestClusterIsProvisionedInTwoSteps(t *testing.T) {
	t.Parallel()
	m, w := SharedManagement(t), SharedWorkload(t)
	ns := NewNamespace(t, m.APIServer)
	cluster := NewCluster(t, m, ClusterOptions{
		Namespace: ns, Name: "blue",
		Labels: map[string]string{"cni": "calico"}, Annotations: map[string]string{"note": "first"},
	})
	diff(t, "labels", map[string]string{"cni": "calico"}, cluster.Labels)
	diff(t, "annotations", map[string]string{"note": "first"}, cluster.Annotations)
	diff(t, "status before", clusterv1.ClusterStatus{}, cluster.Status)
	secret := kubeconfigSecret(cluster)
	if err := m.Client.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); !apierrors.IsNotFound(err) {
		t.Errorf("kubeconfig before: got %v, want not found", err)
	}

	if err := m.Connect(t.Context(), cluster, w); err != nil {
		t.Fatal(err)
	}
	if !conditions.IsTrue(cluster, clusterv1.ClusterControlPlaneInitializedCondition) {
		t.Errorf("the control plane is not initialized: %v", cluster.Status.Conditions)
	}
	if err := m.Client.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); err != nil {
		t.Fatal(err)
	}
	diff(t, "kubeconfig", string(w.Kubeconfig()), string(secret.Data["value"]))
	diff(t, "type", corev1.SecretType("cluster.x-k8s.io/secret"), secret.Type)
	diff(t, "labels of the secret", map[string]string{"cluster.x-k8s.io/cluster-name": "blue"}, secret.Labels)
	diff(t, "owners of the secret", []string{"GenericControlPlane/blue"}, ownersOf(secret))
	diff(t, "finalizers", []string{clusterv1.ClusterFinalizer}, cluster.Finalizers)
	checkError(t, m.Connect(t.Context(), cluster, w), []string{ns + "/blue", "already exists"})
}

func TestClusterThatIsPaused(t *testing.T) {
	t.Parallel()
	m := SharedManagement(t)
	cluster := NewCluster(t, m, ClusterOptions{
		Namespace: NewNamespace(t, m.APIServer), Name: "blue", Workload: SharedWorkload(t), Paused: true,
	})
	if cluster.Spec.Paused == nil || !*cluster.Spec.Paused {
		t.Error("spec.paused is not set")
	}
	if paused := conditions.Get(cluster, clusterv1.PausedCondition); paused == nil ||
		paused.Status != metav1.ConditionTrue || paused.Reason != clusterv1.PausedReason {
		t.Errorf("got %v", paused)
	}
}

func TestVersionOfTheControlPlane(t *testing.T) {
	t.Parallel()
	m, w := SharedManagement(t), SharedWorkload(t)
	version, err := versionOf(w.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		given ClusterOptions
		want  string
	}{
		"the version that the workload cluster has": {ClusterOptions{Workload: w}, version},
		"a version that the test wants":             {ClusterOptions{Workload: w, Version: "v1.30.0"}, "v1.30.0"},
		"a version where nobody answers":            {ClusterOptions{Workload: nowhere{}, Version: "v1.30.0"}, "v1.30.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.given.Namespace, tc.given.Name = NewNamespace(t, m.APIServer), "blue"
			cluster := NewCluster(t, m, tc.given)
			controlPlane := provided(t, m, controlPlaneKind, cluster)
			got, _, _ := unstructured.NestedString(controlPlane.Object, "status", "version")
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// nowhere is a kubeconfig that leads to a port on which nobody listens.
type nowhere struct{}

func (nowhere) Kubeconfig() []byte {
	return kubeconfigWith("https://127.0.0.1:1")
}

// broken is not a kubeconfig.
type broken struct{ content string }

func (b broken) Kubeconfig() []byte { return []byte(b.content) }

func kubeconfigWith(server string) []byte {
	return []byte(`{"clusters":[{"name":"c","cluster":{"server":"` + server + `"}}],` +
		`"contexts":[{"name":"c","context":{"cluster":"c"}}],"current-context":"c"}`)
}

func TestClustersThatCannotBeMade(t *testing.T) {
	t.Parallel()
	m := SharedManagement(t)
	ns := NewNamespace(t, m.APIServer)
	NewCluster(t, m, ClusterOptions{Namespace: ns, Name: "taken"})
	for name, tc := range map[string]struct {
		given   ClusterOptions
		wantErr []string
	}{
		"a name that is taken": {
			given: ClusterOptions{Namespace: ns, Name: "taken"}, wantErr: []string{ns + "/taken", "already exists"},
		},
		"a namespace that is missing": {
			given: ClusterOptions{Namespace: "missing", Name: "a"}, wantErr: []string{"missing/a", "not found"},
		},
		"a workload cluster that does not answer": {
			given:   ClusterOptions{Namespace: ns, Name: "b", Workload: nowhere{}},
			wantErr: []string{ns + "/b", "version of the workload cluster", "127.0.0.1:1"},
		},
		"a kubeconfig that is none": {
			given:   ClusterOptions{Namespace: ns, Name: "c", Workload: broken{"no: ["}},
			wantErr: []string{ns + "/c", "kubeconfig"},
		},
		"a kubeconfig without a port": {
			given: ClusterOptions{
				Namespace: ns, Name: "d", Workload: broken{string(kubeconfigWith("https://example.com"))},
			},
			wantErr: []string{ns + "/d", "kubeconfig", "port of https://example.com"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := m.AddCluster(t.Context(), tc.given)
			checkError(t, err, tc.wantErr)
		})
	}
}

func TestDeletionOfACluster(t *testing.T) {
	t.Parallel()
	m := SharedManagement(t)
	ns := NewNamespace(t, m.APIServer)
	cluster := NewCluster(t, m, ClusterOptions{Namespace: ns, Name: "blue", Workload: SharedWorkload(t)})
	checkError(t, m.FinishDeletion(t.Context(), cluster), []string{ns + "/blue", "has not been deleted"})
	if err := m.Client.Delete(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
	key := client.ObjectKeyFromObject(cluster)
	if err := m.Client.Get(t.Context(), key, cluster); err != nil || cluster.DeletionTimestamp.IsZero() {
		t.Fatalf("the finalizer does not hold the Cluster: %v", err)
	}
	if err := m.FinishDeletion(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
	for _, object := range []client.Object{
		cluster, kubeconfigSecret(cluster),
		providerObject(infrastructureKind, cluster), providerObject(controlPlaneKind, cluster),
	} {
		if err := m.Client.Get(t.Context(), client.ObjectKeyFromObject(object), object); !apierrors.IsNotFound(err) {
			t.Errorf("%T %s: got %v, want not found", object, object.GetName(), err)
		}
	}
	err := m.FinishDeletion(t.Context(), cluster)
	if !apierrors.IsNotFound(errors.Unwrap(err)) {
		t.Errorf("a Cluster that is gone: got %v", err)
	}
}

func kubeconfigSecret(cluster *clusterv1.Cluster) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: cluster.Namespace, Name: cluster.Name + "-kubeconfig"}}
}

// provided returns the provider's object of that kind as it is.
func provided(
	t *testing.T, m *Management, kind schema.GroupVersionKind, cluster *clusterv1.Cluster,
) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	if err := m.Client.Get(t.Context(), client.ObjectKeyFromObject(cluster), u); err != nil {
		t.Fatal(err)
	}
	return u
}
