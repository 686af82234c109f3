package capi

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/controllers/clustercache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

var noon = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

// initialized returns the Cluster prod, whose control plane was initialized at that time.
func initialized(at time.Time) *clusterv1.Cluster {
	cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "prod"}}
	cluster.Status.Initialization.ControlPlaneInitialized = new(true)
	cluster.Status.Conditions = []metav1.Condition{{
		Type: clusterv1.ClusterControlPlaneInitializedCondition, Status: metav1.ConditionTrue, LastTransitionTime: metav1.NewTime(at),
	}}
	return cluster
}

func TestAClusterCanBeConnectedOnceItsAPIServerAndItsKubeconfigAreThere(t *testing.T) {
	t.Parallel()
	before := initialized(noon)
	before.Status.Initialization.ControlPlaneInitialized = nil
	kubeconfig := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "prod-kubeconfig"}}
	elsewhere := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "prod-kubeconfig"}}
	tests := map[string]struct {
		given  *clusterv1.Cluster
		secret *corev1.Secret
		want   bool
	}{
		"both are there":                    {initialized(noon), kubeconfig, true},
		"the control plane is not yet":      {before, kubeconfig, false},
		"the Secret is not":                 {initialized(noon), elsewhere, false},
		"neither is, as in a fresh Cluster": {before, elsewhere, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reader := fake.NewClientBuilder().WithObjects(tc.secret).Build()
			if got := canConnect(t.Context(), reader, tc.given); got != tc.want {
				t.Errorf("want %t, got %t", tc.want, got)
			}
		})
	}
}

// probed is a ClusterCache whose Clusters have one state.
type probed struct {
	clustercache.ClusterCache
	state clustercache.HealthCheckingState
}

func (p probed) GetHealthCheckingState(context.Context, client.ObjectKey) clustercache.HealthCheckingState {
	return p.state
}

// asked is a queue that notes what is added to it, and when.
type asked struct {
	queue
	items map[reconcile.Request]time.Duration
}

func (a *asked) AddAfter(item reconcile.Request, after time.Duration) { a.items[item] = after }

func TestANewControlPlaneThatCouldNotBeConnectedIsTriedAgainSoon(t *testing.T) {
	t.Parallel()
	failed := func(ago time.Duration) clustercache.HealthCheckingState {
		return clustercache.HealthCheckingState{ConsecutiveFailures: 1, LastProbeTime: noon.Add(-ago)}
	}
	lost := failed(time.Minute)
	lost.LastProbeSuccessTime = noon.Add(-time.Hour)
	const never = -1
	tests := map[string]struct {
		given *clusterv1.Cluster
		state clustercache.HealthCheckingState
		want  bool
		again time.Duration // when it is looked at again
	}{
		"it failed":                         {initialized(noon.Add(-10 * time.Second)), failed(newRetry), true, 0},
		"unless it failed just now":         {initialized(noon.Add(-10 * time.Second)), failed(newRetry - 1), false, 1},
		"unless it was not tried yet":       {initialized(noon), clustercache.HealthCheckingState{}, false, never},
		"unless it was connected before":    {initialized(noon), lost, false, never},
		"unless it is no longer new":        {initialized(noon.Add(-newFor)), failed(newRetry), false, never},
		"unless nobody knows how old it is": {&clusterv1.Cluster{}, failed(newRetry), false, never},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := &asked{items: make(map[reconcile.Request]time.Duration)}
			a := &attempts{cache: probed{state: tc.state}, queue: q, now: func() time.Time { return noon }}
			if got := a.startOver(t.Context(), tc.given); got != tc.want {
				t.Errorf("want %t, got %t", tc.want, got)
			}
			again, ok := q.items[reconcile.Request{NamespacedName: client.ObjectKeyFromObject(tc.given)}]
			if !ok {
				again = never
			}
			if again != tc.again {
				t.Errorf("want it looked at again after %d, got %d", tc.again, again)
			}
		})
	}
}

func TestAnAttemptIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	q := &asked{items: make(map[reconcile.Request]time.Duration)}
	a := &attempts{}
	if err := a.source().Start(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	prod := client.ObjectKey{Namespace: "default", Name: "prod"}
	kubeconfig := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: "default", Name: "prod-kubeconfig", Labels: map[string]string{clusterv1.ClusterNameLabel: "prod"},
	}}
	secrets := kubeconfigs{fake.NewClientBuilder().WithObjects(kubeconfig).Build(), a.begins}
	if err := secrets.Get(t.Context(), client.ObjectKeyFromObject(kubeconfig), &corev1.Secret{}); err == nil {
		t.Error("want an error for a Secret without a kubeconfig")
	}
	want := map[reconcile.Request]time.Duration{{NamespacedName: prod}: newRetry}
	if diff := cmp.Diff(want, q.items); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
