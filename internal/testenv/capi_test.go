package testenv

import (
	"testing"

	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestImitationIsAsClusterAPI(t *testing.T) {
	t.Parallel()
	real, imitated, w := NewManagement(t, ManagementOptions{}), SharedManagement(t), SharedWorkload(t)
	if err := real.StartCAPI(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkError(t, real.StartCAPI(t.Context()), []string{"capi-core is running"})
	ours := NewCluster(t, imitated, ClusterOptions{
		Namespace: NewNamespace(t, imitated.APIServer), Name: "blue", Workload: w,
	})
	capis := NewCluster(t, real, ClusterOptions{Namespace: metav1.NamespaceDefault, Name: "blue", Workload: w})

	if !conditions.IsTrue(capis, clusterv1.ClusterAvailableCondition) {
		t.Errorf("Cluster API does not find it available: %v", capis.Status.Conditions)
	}
	diff(t, "initialization", capis.Status.Initialization, ours.Status.Initialization)
	// Times differ. The generation that a condition was last observed at depends
	// on how often the real controllers came by.
	diff(t, "status", capis.Status, ours.Status,
		cmpopts.IgnoreFields(metav1.Condition{}, "LastTransitionTime", "ObservedGeneration"),
		cmpopts.IgnoreFields(clusterv1.ClusterStatus{}, "Deprecated"))
	diff(t, "spec", capis.Spec, ours.Spec)
	diff(t, "finalizers", capis.Finalizers, ours.Finalizers)
	for _, kind := range []schema.GroupVersionKind{infrastructureKind, controlPlaneKind} {
		theirs, our := provided(t, real, kind, capis), provided(t, imitated, kind, ours)
		diff(t, kind.Kind+": owners", ownersOf(theirs), ownersOf(our))
		diff(t, kind.Kind+": labels", theirs.GetLabels(), our.GetLabels())
		diff(t, kind.Kind+": spec", theirs.Object["spec"], our.Object["spec"])
		diff(t, kind.Kind+": status", theirs.Object["status"], our.Object["status"])
	}

	_, err := real.AddCluster(t.Context(), ClusterOptions{
		Namespace: metav1.NamespaceDefault, Name: "paused", Workload: w, Paused: true,
	})
	checkError(t, err, []string{"default/paused", "is paused"})
	checkDeletionByCAPI(t, real, capis)
}

// checkDeletionByCAPI checks that Cluster API lets the Cluster go by itself.
func checkDeletionByCAPI(t *testing.T, m *Management, cluster *clusterv1.Cluster) {
	t.Helper()
	if err := m.Client.Delete(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
	eventuallyGone(t, m.Client, cluster)
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: cluster.Namespace, Name: cluster.Name + "-kubeconfig"}
	if err := m.Client.Get(t.Context(), key, secret); err != nil {
		t.Errorf("without the garbage collector the Secret remains: %v", err)
	}
}
