package capi

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

var noon = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

// initialized returns the Cluster prod, whose control plane was initialized at noon.
func initialized() *clusterv1.Cluster {
	cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "prod"}}
	cluster.Status.Initialization.ControlPlaneInitialized = new(true)
	cluster.Status.Conditions = []metav1.Condition{{
		Type: clusterv1.ClusterControlPlaneInitializedCondition, Status: metav1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon),
	}}
	return cluster
}

// called notes what connections are told.
type called struct {
	connected, disconnected []client.ObjectKey
	kubeconfig              string
	since                   time.Time
}

func (c *called) Connect(cluster client.ObjectKey, kubeconfig []byte, since time.Time) {
	c.connected, c.kubeconfig, c.since = append(c.connected, cluster), string(kubeconfig), since
}

func (c *called) Disconnect(cluster client.ObjectKey) {
	c.disconnected = append(c.disconnected, cluster)
}

func TestAClusterIsToBeConnectedOnceItsAPIServerAndItsKubeconfigAreThere(t *testing.T) {
	t.Parallel()
	before := initialized()
	before.Status.Initialization.ControlPlaneInitialized = nil
	unknown := initialized()
	unknown.Status.Conditions = nil
	kubeconfig := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "prod-kubeconfig"},
		Data:       map[string][]byte{"value": []byte("kubeconfig")},
	}
	elsewhere := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "prod-kubeconfig"}}
	prod := client.ObjectKeyFromObject(before)
	yes, no := &called{connected: []client.ObjectKey{prod}, kubeconfig: "kubeconfig", since: noon.Local()},
		&called{disconnected: []client.ObjectKey{prod}}
	tests := map[string]struct {
		given    []client.Object
		selected bool
		want     *called
	}{
		"both are there":                    {[]client.Object{initialized(), kubeconfig}, true, yes},
		"nobody knows since when":           {[]client.Object{unknown, kubeconfig}, true, &called{connected: yes.connected, kubeconfig: "kubeconfig"}},
		"no set selects it":                 {[]client.Object{initialized(), kubeconfig}, false, no},
		"the control plane is not yet":      {[]client.Object{before, kubeconfig}, true, no},
		"the Secret is not":                 {[]client.Object{initialized(), elsewhere}, true, no},
		"neither is, as in a fresh Cluster": {[]client.Object{before, elsewhere}, true, no},
		"the Cluster is gone":               {[]client.Object{kubeconfig}, true, no},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := &called{}
			c := &connecting{reader: readerOf(t, tc.given...), ConnectingOptions: ConnectingOptions{
				Connections: got, Selects: func(context.Context, *clusterv1.Cluster) bool { return tc.selected },
			}}
			if _, err := c.Reconcile(t.Context(), ctrl.Request{NamespacedName: prod}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(called{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func readerOf(t *testing.T, objects ...client.Object) client.Reader {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clusterv1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	copies := make([]client.Object, len(objects))
	for i, object := range objects {
		copies[i] = object.DeepCopyObject().(client.Object)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(copies...).Build()
}
