package takeover

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	addonsv1 "sigs.k8s.io/cluster-api/api/addons/v1beta2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/takeover"
)

const manifests = `apiVersion: v1
kind: ConfigMap
metadata: {name: agent, namespace: default}
data: {level: info}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: agent, namespace: default}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: agent, image: "example.com/agent:1"}]}
`

// named returns the metadata of an object of the tests.
func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "team", Name: name}
}

// world is a management cluster and the workload clusters of its Clusters.
type world struct {
	management client.WithWatch
	// refusing has the workload cluster not answer.
	refusing error
	workload client.Client
}

func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	err := errors.Join(clientgoscheme.AddToScheme(s), clusterv1.AddToScheme(s), addonsv1.AddToScheme(s), v1alpha1.AddToScheme(s))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newWorld(t *testing.T, workload ...client.Object) *world {
	t.Helper()
	cluster := &clusterv1.Cluster{ObjectMeta: named("berlin")}
	cluster.Labels = map[string]string{"agent": "yes"}
	cluster.Status.Initialization.ControlPlaneInitialized = new(true)
	owner := metav1.OwnerReference{APIVersion: addonsv1.GroupVersion.String(), Kind: "ClusterResourceSet", Name: "agent", UID: "crs"}
	config := &corev1.ConfigMap{ObjectMeta: named("agent"), Data: map[string]string{"agent.yaml": manifests}}
	config.OwnerReferences = []metav1.OwnerReference{owner}
	binding := &addonsv1.ClusterResourceSetBinding{ObjectMeta: named("berlin")}
	binding.Spec.ClusterName = "berlin"
	return &world{
		management: fake.NewClientBuilder().WithScheme(scheme(t)).WithObjects(
			cluster, config, binding,
			&corev1.Secret{ObjectMeta: named("berlin-kubeconfig"), Data: map[string][]byte{"value": []byte("kubeconfig of berlin")}},
			&addonsv1.ClusterResourceSet{
				ObjectMeta: named("agent"),
				Spec: addonsv1.ClusterResourceSetSpec{
					ClusterSelector: metav1.LabelSelector{MatchLabels: cluster.Labels}, Strategy: "Reconcile",
					Resources: []addonsv1.ResourceRef{{Kind: "ConfigMap", Name: "agent"}, {Kind: "Secret", Name: "missing"}},
				},
			},
		).Build(),
		workload: fake.NewClientBuilder().WithScheme(scheme(t)).WithRESTMapper(testrestmapper.TestOnlyStaticRESTMapper(scheme(t))).
			WithObjects(workload...).WithReturnManagedFields().Build(),
	}
}

// run takes over and returns the YAML and the report.
func (w *world) run(t *testing.T, apply bool) (out, report string, err error) {
	t.Helper()
	var yaml, text bytes.Buffer
	err = Run(t.Context(), Config{
		Client: w.management, Namespace: "team", Name: "agent", Options: takeover.Options{Version: "1.0.0"}, Apply: apply,
		Connect: func(kubeconfig []byte) (client.Client, error) {
			if string(kubeconfig) != "kubeconfig of berlin" {
				t.Errorf("connected with %q", kubeconfig)
			}
			return w.workload, w.refusing
		},
		Out: &yaml, Report: &text,
	})
	return yaml.String(), text.String(), err
}

// get reads an object of the management cluster.
func (w *world) get(t *testing.T, name string, object client.Object) error {
	t.Helper()
	return w.management.Get(t.Context(), client.ObjectKey{Namespace: "team", Name: name}, object)
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("want %q in:\n%s", part, text)
		}
	}
}

func TestADryRunWritesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.management = interceptor.NewClient(w.management, interceptor.Funcs{
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error {
			return errors.New("created")
		},
		Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
			return errors.New("patched")
		},
	})
	out, report, err := w.run(t, false)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, out, "---\napiVersion: addons.cluster.x-k8s.io/v1alpha1\nkind: Bundle\n", "---\napiVersion: addons.cluster.x-k8s.io/v1alpha1\nkind: ClusterBundleSet\n")
	contains(t, report, "1 resources with 2 objects for 1 Clusters", "Warning: Secret missing does not exist", "repeat the command with --apply")
}

func TestWhatIsWrittenCanBeWrittenAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, created := range []bool{true, false} {
		_, report, err := w.run(t, true)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(report, "was created"); got != created {
			t.Errorf("want created %t:\n%s", created, report)
		}
		contains(t, report, "The ClusterResourceSet can be removed")
		bundle, set, config := &v1alpha1.Bundle{}, &v1alpha1.ClusterBundleSet{}, &corev1.ConfigMap{}
		if err := errors.Join(w.get(t, "agent", bundle), w.get(t, "agent", set), w.get(t, "agent", config)); err != nil {
			t.Fatal(err)
		}
		if owners := config.OwnerReferences; len(owners) != 2 || owners[0].UID != "crs" || owners[1].UID != bundle.UID || owners[1].Controller != nil {
			t.Errorf("the owners of the ConfigMap are %v", owners)
		}
	}
}

func TestWhatSomebodyElseWroteIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs := &v1alpha1.Bundle{ObjectMeta: named("agent"), Spec: v1alpha1.BundleSpec{Releases: []v1alpha1.Release{{Version: "2.0.0"}}}}
	if err := w.management.Create(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	for _, apply := range []bool{false, true} {
		_, _, err := w.run(t, apply)
		if err == nil || !strings.Contains(err.Error(), "Bundle agent exists with another spec") {
			t.Errorf("apply %t: %v", apply, err)
		}
	}
	if err := w.get(t, "agent", &v1alpha1.ClusterBundleSet{}); !apierrors.IsNotFound(err) {
		t.Errorf("the set: %v", err)
	}
}

func TestAMissingClusterResourceSetIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.management.Delete(t.Context(), &addonsv1.ClusterResourceSet{ObjectMeta: named("agent")}); err != nil {
		t.Fatal(err)
	}
	_, _, err := w.run(t, false)
	if err == nil || !strings.Contains(err.Error(), "ClusterResourceSet team/agent") {
		t.Errorf("got %v", err)
	}
}

func TestAClusterThatDoesNotAnswerHoldsUpNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refusing = errors.New("connection refused")
	_, report, err := w.run(t, true)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, report, "Cluster berlin: cannot be compared: connection refused", "ClusterBundleSet team/agent was created")
}

func (w *world) cluster(t *testing.T) *clusterv1.Cluster {
	t.Helper()
	cluster := &clusterv1.Cluster{}
	if err := w.get(t, "berlin", cluster); err != nil {
		t.Fatal(err)
	}
	return cluster
}
