package clusterbundle

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

func TestWorkersStayFreeForClustersThatAnswer(t *testing.T) {
	t.Parallel()
	type entry struct {
		namespace       string
		silent, suspect bool
		want            bool
	}
	unknown := func(namespace string, want bool) entry { return entry{namespace, false, false, want} }
	silent := func(namespace string, want bool) entry { return entry{namespace, true, true, want} }
	suspect := func(namespace string, want bool) entry { return entry{namespace, false, true, want} }
	tests := map[string]struct {
		workers int
		given   []entry
	}{
		"all that answer": {4, []entry{unknown("a", true), unknown("a", true), unknown("a", true), unknown("a", true)}},
		"half of the silent ones of one namespace": {8, []entry{
			silent("a", true), silent("a", false), silent("b", true), silent("c", false), unknown("c", true),
		}},
		"a quarter of the workers is for one at least": {1, []entry{silent("a", true), silent("a", false)}},
		"three quarters of a namespace with a silent one": {4, []entry{
			suspect("a", true), suspect("a", true), suspect("a", true), suspect("a", false), unknown("b", true), suspect("b", true),
		}},
		"what was taken before counts": {4, []entry{
			unknown("a", true), unknown("a", true), unknown("a", true), suspect("a", false),
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLanes(tc.workers)
			for range 2 {
				var entered []func()
				for i, e := range tc.given {
					leave, ok := l.enter(e.namespace, e.silent, e.suspect)
					if ok != e.want {
						t.Errorf("entry %d: want %t, got %t", i, e.want, ok)
					}
					if ok {
						entered = append(entered, leave)
					}
				}
				for _, leave := range entered {
					leave()
				}
			}
			if len(l.byNamespace) > 0 || l.silent > 0 {
				t.Errorf("want nothing left, got %+v", l.byNamespace)
			}
		})
	}
}

// stalled is an API server that accepts and never answers, as many clusters.
type stalled struct{ waiting, most, requests atomic.Int32 }

func newStalled(t *testing.T) (*stalled, *rest.Config) {
	t.Helper()
	s := &stalled{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/version" { // no worker waits for a probe
			s.requests.Add(1)
			s.most.Store(max(s.most.Load(), s.waiting.Add(1)))
			defer s.waiting.Add(-1)
		}
		<-r.Context().Done()
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return s, &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: ca}}
}

// completeOn returns what a ClusterBundle needs whose release is complete on its Cluster,
// which only the Cluster knows.
func completeOn(namespace, cluster string) []client.Object {
	cb := bundleOf("cni", cluster)
	cb.Namespace = namespace
	cb.Spec.Strategy, cb.Spec.Version, cb.Spec.Digest = v1alpha1.ApplyOnceStrategy, "1.0.0", "sha256:1"
	named := func(c *clusterv1.Cluster) { c.Namespace, c.Name = namespace, cluster }
	return []client.Object{cb, prepared(named)}
}

// waitUntilReady waits for a ClusterBundle.
func waitUntilReady(t *testing.T, management client.Reader, key client.ObjectKey) {
	t.Helper()
	tick, over := time.NewTicker(10*time.Millisecond), time.After(2*time.Minute)
	defer tick.Stop()
	for {
		cb := &v1alpha1.ClusterBundle{}
		if management.Get(t.Context(), key, cb) == nil && readyOf(cb) == "True Ready" {
			return
		}
		select {
		case <-tick.C:
		case <-over:
			t.Fatalf("%s is not ready within two minutes", key)
		}
	}
}

// TestClustersThatNeverAnswerLeaveWorkersToOthers is about more such clusters than there
// are workers, of a real queue with real servers.
func TestClustersThatNeverAnswerLeaveWorkersToOthers(t *testing.T) {
	t.Parallel()
	const workers, hostile = 4, 16
	server, never := newStalled(t)
	var objects []client.Object
	var queued []reconcile.Request
	byNamespace := map[string]*rest.Config{"hostile": never, "good": completeParent(t, "sha256:1")}
	connected := make(map[client.ObjectKey]*rest.Config)
	add := func(namespace, cluster string) client.ObjectKey {
		connected[client.ObjectKey{Namespace: namespace, Name: cluster}] = byNamespace[namespace]
		objects = append(objects, completeOn(namespace, cluster)...)
		key := client.ObjectKey{Namespace: namespace, Name: bundleOf("cni", cluster).Name}
		queued = append(queued, reconcile.Request{NamespacedName: key})
		return key
	}
	for i := range hostile {
		add("hostile", fmt.Sprintf("c%d", i))
	}
	good := add("good", "prod")
	for _, namespace := range []string{"hostile", "good"} {
		bundle := calico("2.0.0")
		bundle.Namespace = namespace
		objects = append(objects, bundle)
	}
	r := reconcilerOf(t, nil, objects...)
	r.Status = status.NewWriter(r.Client, events.NewFakeRecorder(1000), r.Clock)
	r.Connections = connectionsTo(t, connected)
	r.lanes = newLanes(workers)

	c, err := controller.NewUnmanaged("lanes", controller.Options{
		Reconciler: r, MaxConcurrentReconciles: workers, SkipNameValidation: new(true),
		LogConstructor: func(*reconcile.Request) logr.Logger { return logr.Discard() },
		RateLimiter:    workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](100*time.Millisecond, time.Second),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Watch(source.Func(func(_ context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		for _, request := range queued {
			q.Add(request)
		}
		return nil
	})); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	go func() { _ = c.Start(t.Context()) }()
	waitUntilReady(t, r.Client, good)
	t.Logf("the cluster that answers was done after %v, with %d requests to those that do not", time.Since(began), server.requests.Load())
	// All workers were taken until the first of them were given up, and never again.
	if got := server.requests.Load(); got > workers+workers*3/4 || server.most.Load() > workers {
		t.Errorf("want at most %d requests to clusters that do not answer, got %d", workers+workers*3/4, got)
	}
}
