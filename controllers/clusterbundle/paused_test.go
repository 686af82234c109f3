package clusterbundle

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

// pauser pauses one object, and what the condition Paused says then.
type pauser struct {
	name    string
	cluster func(*clusterv1.Cluster)
	set     func(*v1alpha1.ClusterBundleSet)
	bundle  func(*v1alpha1.ClusterBundle)
	noSet   bool
	// reason and message of the condition Paused.
	reason, message string
}

const bySpec, byAnnotation = "Cluster spec.paused is set to true", " has the cluster.x-k8s.io/paused annotation"

var pausers = []pauser{
	{name: "nothing", reason: v1alpha1.NotPausedReason},
	{name: "the Cluster's spec", cluster: pausedBySpec, reason: "Paused", message: bySpec},
	{name: "the Cluster's annotation", cluster: annotated, reason: "Paused", message: "Cluster" + byAnnotation},
	{name: "the Cluster's spec, without a set", cluster: pausedBySpec, noSet: true, reason: "Paused", message: bySpec},
	{name: "the set", set: annotatedSet, reason: "Paused", message: "ClusterBundleSet" + byAnnotation},
	{name: "the ClusterBundle", bundle: pausedByAnnotation, reason: "Paused", message: "ClusterBundle" + byAnnotation},
	{
		name: "all of them", cluster: func(c *clusterv1.Cluster) { pausedBySpec(c); annotated(c) }, set: annotatedSet, bundle: pausedByAnnotation,
		reason: "Paused", message: bySpec + ", Cluster" + byAnnotation + ", ClusterBundle" + byAnnotation + ", ClusterBundleSet" + byAnnotation,
	},
	{name: "a set that is suspended", set: suspendedSet, reason: "Suspended", message: "ClusterBundleSet cni is suspended"},
	{
		name: "a set that was suspended when it went", bundle: suspendedBySet, noSet: true,
		reason: "Suspended", message: "ClusterBundleSet cni is suspended",
	},
}

// objects returns the Cluster, the set and a ClusterBundle as the pauser leaves them.
func (p pauser) objects(cb *v1alpha1.ClusterBundle) []client.Object {
	cluster, set := prepared(identified), selecting()
	if p.cluster != nil {
		p.cluster(cluster)
	}
	if p.set != nil {
		p.set(set)
	}
	if p.bundle != nil {
		p.bundle(cb)
	}
	if p.noSet {
		return []client.Object{cluster, cb}
	}
	return []client.Object{cluster, set, cb}
}

// known is what was known of a ClusterBundle before it was paused.
type known struct {
	name string
	of   func(*v1alpha1.ClusterBundle)
	// ready is what Ready says while it is paused; empty for what the pause says.
	ready string
	// observed is the generation that the status is about.
	observed int64
}

func observedAt(generation int64, err error) func(*v1alpha1.ClusterBundle) {
	return func(cb *v1alpha1.ClusterBundle) {
		cb.Generation = generation
		setStatus(cb, findings{err: err, passed: passedUntil(1)})
		cb.Generation = 2
	}
}

var knowns = []known{
	{"that it is Ready", observedAt(2, nil), "True Ready", 2},
	{
		"that a gate is closed", observedAt(2, fault.Wait(v1alpha1.CRDsNotServedReason, 0, errors.New("soon"))),
		"False CRDsNotServed: soon", 2,
	},
	{
		"that it is stalled", observedAt(2, fault.Stall(v1alpha1.CollisionReason, errors.New("taken"))),
		"False Collision: taken", 2,
	},
	{"that the release before was Ready", observedAt(1, nil), "", 1},
	{"that the release before was stalled", observedAt(1, fault.Stall(v1alpha1.CollisionReason, errors.New("taken"))), "", 1},
	{"nothing", func(cb *v1alpha1.ClusterBundle) { cb.Generation = 2 }, "", 0},
}

// TestPauses has each way to pause with each state before: no request is made, what was
// known stays, and Paused says why.
func TestPauses(t *testing.T) {
	t.Parallel()
	for _, p := range pausers {
		for _, k := range knowns {
			if p.reason == v1alpha1.NotPausedReason {
				continue
			}
			t.Run(p.name+"/"+k.name, func(t *testing.T) {
				t.Parallel()
				cfg, requests := emptyCluster(t)
				given := bundleOf("cni", "prod", k.of)
				stalled := statuses(given)[v1alpha1.StalledCondition]
				r := reconcilerOf(t, cfg, p.objects(given)...)
				after := reconciledTwice(t, r, client.ObjectKeyFromObject(given))
				ready := k.ready
				if ready == "" {
					ready, stalled = "False "+p.reason+": "+p.message, "False Progressing"
				}
				got := statuses(after)
				want := map[string]string{"Ready": ready, "Stalled": stalled, "Paused": "True " + p.reason + ": " + p.message}
				for kind := range got {
					if _, ok := want[kind]; !ok {
						delete(got, kind)
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("conditions (-want +got):\n%s", diff)
				}
				if after.Status.ObservedGeneration != k.observed || requests.Load() > 0 {
					t.Errorf("want generation %d and no request, got %d and %d", k.observed, after.Status.ObservedGeneration, requests.Load())
				}
			})
		}
	}
}

// reconciledTwice reconciles a ClusterBundle twice: what is found again changes nothing.
func reconciledTwice(t *testing.T, r *Reconciler, key client.ObjectKey) *v1alpha1.ClusterBundle {
	t.Helper()
	var versions []string
	after := &v1alpha1.ClusterBundle{}
	for range 2 {
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
			t.Fatal(err)
		}
		if err := r.Client.Get(t.Context(), key, after); err != nil {
			t.Fatal(err)
		}
		versions = append(versions, after.ResourceVersion)
	}
	if len(slices.Compact(versions)) > 1 {
		t.Errorf("want the second reconcile to write nothing, got the versions %v", versions)
	}
	return after
}

// TestPausesOfAnUninstall has each way to pause with an uninstall that has begun, and
// with one that nobody saw before: the one waits, the other is let go by a pause, as
// after a move, and waits for a set that is suspended.
func TestPausesOfAnUninstall(t *testing.T) {
	t.Parallel()
	for _, p := range pausers {
		for _, hasBegun := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/begun %t", p.name, hasBegun), func(t *testing.T) {
				t.Parallel()
				given := uninstalled()
				if hasBegun {
					begun(given)
				}
				cfg, requests := emptyCluster(t)
				r := reconcilerOf(t, cfg, p.objects(given)...)
				key := client.ObjectKeyFromObject(given)
				if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
					t.Fatal(err)
				}
				after := &v1alpha1.ClusterBundle{}
				err := r.Client.Get(t.Context(), key, after)
				removes := p.reason == v1alpha1.NotPausedReason && hasBegun
				isGone := removes || p.reason == v1alpha1.PausedReason && !hasBegun
				if apierrors.IsNotFound(err) != isGone || (requests.Load() > 0) != removes {
					t.Fatalf("want it gone: %t, and the workload cluster asked: %t; got %v and %d requests", isGone, removes, err, requests.Load())
				}
				paused := "True " + p.reason
				if p.reason == v1alpha1.NotPausedReason {
					paused = "False " + p.reason
				}
				if got := statuses(after)[v1alpha1.PausedCondition]; !isGone && got[:len(paused)] != paused {
					t.Errorf("want %q, got %q", paused, got)
				}
			})
		}
	}
}

func TestAPassThatAPauseEndedIsWhatIsKnown(t *testing.T) {
	t.Parallel()
	stopped := fault.Wrap("phase crds", fault.Wait(v1alpha1.PausedReason, 0, pause{errors.New(bySpec)}))
	tests := map[string]struct {
		given known
		want  map[string]string
	}{
		"over a release that was begun": {knowns[1], map[string]string{
			"Ready": "False CRDsNotServed: soon", "Paused": "True Paused: " + bySpec,
		}},
		"over a new release": {knowns[4], map[string]string{
			"Ready": "False Paused: phase crds: " + bySpec, "Paused": "True Paused: " + bySpec,
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cb := bundleOf("cni", "prod", tc.given.of)
			setStatus(cb, findings{err: stopped, passed: passedUntil(0)})
			got := statuses(cb)
			got = map[string]string{"Ready": got["Ready"], "Paused": got["Paused"]}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if cb.Status.Phase != "crds 1/2" || cb.Status.ObservedGeneration != 2 {
				t.Errorf("want what the pass found of generation 2, got %q of %d", cb.Status.Phase, cb.Status.ObservedGeneration)
			}
		})
	}
}

func TestATimeoutBeginsAnewWhenAClusterBundleIsResumed(t *testing.T) {
	t.Parallel()
	since := func(isTrue bool) *v1alpha1.ClusterBundle {
		cb := &v1alpha1.ClusterBundle{}
		status.SetCondition(cb, v1alpha1.PausedCondition, isTrue, "Any", "")
		cb.Status.Conditions[0].LastTransitionTime = metav1.NewTime(noon)
		return cb
	}
	later := noon.Add(time.Hour)
	tests := map[string]struct {
		given *v1alpha1.ClusterBundle
		want  time.Time
	}{
		"it is being resumed":    {since(true), later},
		"it was resumed":         {since(false), noon},
		"nobody knows, as moved": {&v1alpha1.ClusterBundle{}, time.Time{}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := resumedAt(tc.given, later); !got.Equal(tc.want) {
				t.Errorf("want %s, got %s", tc.want, got)
			}
		})
	}
}
