package clusterbundle

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

// parents is a workload cluster with nothing but parents in it.
type parents struct {
	cfg *rest.Config
	// opened has the names that are watched, as their watches begin, ended as they end.
	opened, ended chan string
	// changed sends an event through the open watch.
	changed chan struct{}

	mu     sync.Mutex
	byName map[string]*corev1.ConfigMap
	reads  []string
}

func newParents(t *testing.T) *parents {
	t.Helper()
	p := &parents{
		opened: make(chan string, 10), ended: make(chan string, 10), changed: make(chan struct{}),
		byName: make(map[string]*corev1.ConfigMap),
	}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.cfg = &rest.Config{Host: server.URL}
	return p
}

// set puts the parent of a set of the namespace default into the cluster.
func (p *parents) set(name, digest, phase string) {
	parent := &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}}
	parent.Name = inventory.ParentOf("default", name).Name()
	parent.Annotations = map[string]string{
		"addons.cluster.x-k8s.io/digest": digest, "addons.cluster.x-k8s.io/phase": phase, "addons.cluster.x-k8s.io/version": "3.32.1",
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byName[parent.Name] = parent
}

// takeReads returns which parents were read since the last call.
func (p *parents) takeReads() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	reads := p.reads
	p.reads = nil
	return reads
}

func (p *parents) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Query().Get("watch") == "true" {
		p.watch(w, r)
		return
	}
	if r.URL.Query().Has("limit") { // for the revision at which a watch begins
		_ = json.NewEncoder(w).Encode(metav1.PartialObjectMetadataList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}})
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	name := nameIn(r)
	p.reads = append(p.reads, name)
	writeConfigMaps(w, p.byName[name])
}

func (p *parents) watch(w http.ResponseWriter, r *http.Request) {
	w.(http.Flusher).Flush()
	name := r.URL.Query().Get("labelSelector")
	p.opened <- name
	defer func() { p.ended <- name }()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-p.changed:
			_, _ = fmt.Fprintf(w, `{"type":"MODIFIED","object":{"apiVersion":"meta.k8s.io/v1","kind":"PartialObjectMetadata",`+
				`"metadata":{"name":"x","labels":{%q:%q}}}}`+"\n", inventory.IDLabel, inventory.ParentOf("default", "cni").ID())
			w.(http.Flusher).Flush()
		}
	}
}

func dependingOn(sets ...string) func(*v1alpha1.ClusterBundle) {
	return func(cb *v1alpha1.ClusterBundle) {
		for _, set := range sets {
			cb.Spec.DependsOn = append(cb.Spec.DependsOn, v1alpha1.SetReference{Name: set})
		}
	}
}

// scopeOf returns what a reconcile knows when it has a connection.
func scopeOf(t *testing.T, r *Reconciler, cb *v1alpha1.ClusterBundle) *scope {
	t.Helper()
	connected, err := r.Connections.Client(clusterKey(cb))
	if err != nil {
		t.Fatal(err)
	}
	return &scope{
		clusterBundle: cb, cluster: prepared(), bundle: &library.Bundle{Content: cb.Spec.Digest, Digest: cb.Spec.Digest, Plan: &plan.Plan{}},
		workload: connected, requests: connected.ForPass(),
	}
}

func TestAReleaseBeginsWhenTheSetsThatItDependsOnAreComplete(t *testing.T) {
	t.Parallel()
	const cni, dns, own = "caapb.default.cni", "caapb.default.dns", "caapb.default.logging"
	type state struct{ digest, phase string }
	complete, open := state{"sha256:9", "complete"}, state{"sha256:9", "operator"}
	tests := map[string]struct {
		given        *v1alpha1.ClusterBundle
		givenParents map[string]state
		want         string // empty if it may begin
		wantReads    []string
	}{
		"it depends on nothing": {given: bundleOf("logging", "prod")},
		"it waits for one that has not begun": {
			bundleOf("logging", "prod", dependingOn("cni")), nil,
			"waits for ClusterBundleSet cni, which has not begun on this Cluster", []string{own, cni},
		},
		"it waits for one that is not complete": {
			bundleOf("logging", "prod", dependingOn("cni")), map[string]state{"cni": open},
			"waits for ClusterBundleSet cni, which is at phase operator of release 3.32.1", []string{own, cni},
		},
		"it waits for one that does not deliver here": {
			bundleOf("logging", "prod", dependingOn("dns")), nil,
			"waits for ClusterBundleSet dns, which does not deliver to Cluster prod", []string{own, dns},
		},
		"it waits for each of them": {
			bundleOf("logging", "prod", dependingOn("cni", "dns")), map[string]state{"cni": open},
			"waits for ClusterBundleSet cni, which is at phase operator of release 3.32.1; " +
				"waits for ClusterBundleSet dns, which does not deliver to Cluster prod", []string{own, cni, dns},
		},
		"it does not wait for one that is complete, whether or not its set is there": {
			bundleOf("logging", "prod", dependingOn("cni", "dns")), map[string]state{"cni": complete, "dns": complete},
			"", []string{own, cni, dns},
		},
		"it goes on when it has begun": {
			bundleOf("logging", "prod", dependingOn("cni")), map[string]state{"logging": {"sha256:1", "crds"}, "cni": open},
			"", []string{own},
		},
		"it is repaired when it is complete": {
			bundleOf("logging", "prod", dependingOn("cni")), map[string]state{"logging": {"sha256:1", "complete"}, "cni": open},
			"", []string{own},
		},
		"it waits with its next release": {
			bundleOf("logging", "prod", dependingOn("cni")), map[string]state{"logging": complete, "cni": open},
			"waits for ClusterBundleSet cni, which is at phase operator of release 3.32.1", []string{own, cni},
		},
		"unless it is applied once, which has no next release": {
			bundleOf("logging", "prod", dependingOn("cni"), appliedOnce), map[string]state{"logging": complete, "cni": open},
			"", []string{own},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newParents(t)
			for set, is := range test.givenParents {
				cluster.set(set, is.digest, is.phase)
			}
			r := reconcilerOf(t, cluster.cfg, bundleOf("cni", "prod"))
			s := scopeOf(t, r, test.given)
			err := r.awaitDependencies(t.Context(), s)
			if s.waits != (test.want != "") {
				t.Errorf("want what it waits for watched, got %t", s.waits)
			}
			if diff := cmp.Diff(test.wantReads, cluster.takeReads()); diff != "" {
				t.Errorf("reads (-want +got):\n%s", diff)
			}
			if test.want == "" {
				if err != nil {
					t.Errorf("want it to begin, got %v", err)
				}
				return
			}
			faulttest.WantMessage(t, err, fault.ClassWait, v1alpha1.DependencyNotReadyReason, test.want)
		})
	}
}

func TestWhatHasBegunIsNotReadAgainForEachPass(t *testing.T) {
	t.Parallel()
	cluster := newParents(t)
	cluster.set("logging", "sha256:1", "crds")
	r := reconcilerOf(t, cluster.cfg)
	s := scopeOf(t, r, bundleOf("logging", "prod", dependingOn("cni")))
	for range 3 {
		if err := r.awaitDependencies(t.Context(), s); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]string{"caapb.default.logging"}, cluster.takeReads()); diff != "" {
		t.Errorf("reads (-want +got):\n%s", diff)
	}
}

func TestAReconcileThatWaitsForASetKeepsItsWatch(t *testing.T) {
	t.Parallel()
	cluster := newParents(t)
	cb := bundleOf("logging", "prod", dependingOn("cni"))
	r := reconcilerOf(t, cluster.cfg, cb, prepared(), calico("1.0.0"), bundleOf("cni", "prod"))
	r.Library = opened{bundle: &library.Bundle{Content: cb.Spec.Digest, Digest: cb.Spec.Digest, Plan: &plan.Plan{}}}
	woken := make(chan types.NamespacedName)
	r.Watches = workload.NewWatches(t.Context(), func(key types.NamespacedName) { woken <- key })
	key := client.ObjectKeyFromObject(cb)
	reconcile := func() {
		t.Helper()
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
			t.Error(err)
		}
	}
	reconcile()
	if got := receive(t, cluster.opened); got != inventory.IDLabel {
		t.Errorf("want the parent of cni watched, got %s", got)
	}
	receive(t, woken) // the watch began
	reconcile()
	go func() { cluster.changed <- struct{}{} }()
	if got := receive(t, woken); got != key {
		t.Errorf("want %s woken, got %s", key, got)
	}
	if len(cluster.ended) > 0 || len(cluster.opened) > 0 {
		t.Error("want one watch for both")
	}

	changed := &v1alpha1.ClusterBundle{}
	if err := r.Client.Get(t.Context(), key, changed); err != nil {
		t.Fatal(err)
	}
	if got, want := readyOf(changed), "False DependencyNotReady"; got != want {
		t.Errorf("want %s, got %s", want, got)
	}
	changed.Spec.Suspend = new(true)
	if err := r.Client.Update(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	reconcile()
	if got := receive(t, cluster.ended); got != inventory.IDLabel {
		t.Errorf("want the watch to end with the waiting, got %s", got)
	}
}

// receive returns the next value of a channel.
func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(2 * time.Minute):
		t.Fatal("nothing came within two minutes")
	}
	return *new(T)
}
