package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
)

func TestNothingIsWrittenAfterTheGuardSaysNo(t *testing.T) {
	t.Parallel()
	reference := newMemory(t)
	converge(t, rolloutOf(reference, releaseOf(t, "one", addOn()...)))
	writes := len(reference.take("apply"))
	for allowed := range writes {
		cluster := newMemory(t)
		r := remembering(cluster, releaseOf(t, "one", addOn()...))
		var asked atomic.Int32
		paused := fault.Wait(v1alpha1.PausedReason, 0, errors.New("the Cluster is paused"))
		r.Guard = func() error {
			if int(asked.Add(1)) > allowed {
				return paused
			}
			return nil
		}
		var o Outcome
		for pass := range 5 {
			o = r.at(time.Duration(pass) * time.Second).Run(t.Context())
		}
		if got := len(cluster.take("apply")); got != allowed {
			t.Errorf("want %d writes, as many as the guard allowed, got %d", allowed, got)
		}
		faulttest.Want(t, o.Err, fault.ClassWait, v1alpha1.PausedReason, "the Cluster is paused")
	}
}

func TestPassWhoseContextWasEndedByTheGuardSaysWhy(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	r := rolloutOf(cluster, releaseOf(t, "one", addOn()...))
	r.Guard = func() error {
		if ctx.Err() != nil {
			return fault.Wait(v1alpha1.PausedReason, 0, errors.New("the Cluster is paused"))
		}
		return nil
	}
	cluster.done = func(_ int, c call) {
		if c.path == widgetsPath {
			end()
		}
	}
	o := r.Run(ctx)
	faulttest.Want(t, o.Err, fault.ClassWait, v1alpha1.PausedReason, "the Cluster is paused")
	cluster.done = nil
	if got := cluster.objects[parentPath].applied; got != 1 {
		t.Errorf("want the parent left alone, got %d writes", got)
	}
}

func TestWhatAPassDidIsSavedThoughItsContextEnded(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	r := rolloutOf(cluster, releaseOf(t, "one", addOn()...))
	r.Run(t.Context()) // the definitions
	ctx, end := context.WithCancel(t.Context())
	defer end()
	cluster.done = func(_ int, c call) {
		if c.verb == "apply" && c.path == spacePath {
			end()
		}
	}
	if o := r.Run(ctx); !errors.Is(o.Err, context.Canceled) {
		t.Errorf("want the error of the context, got %v", o.Err)
	}
	if _, record := cluster.parent(); record.Progress.Phase != 1 {
		t.Errorf("want the first phase recorded as complete, got %+v", record.Progress)
	}
}

func TestEveryErrorEndsInATimeoutOfThePhase(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given      error
		wantClass  fault.Class
		wantReason string
	}{
		"a Retry": {
			fault.Retry(v1alpha1.ObjectInvalidReason, errBroken), fault.ClassStall, v1alpha1.PhaseTimeoutReason,
		},
		"a Wait": {
			fault.Wait(v1alpha1.NamespaceTerminatingReason, time.Second, errBroken), fault.ClassStall, v1alpha1.PhaseTimeoutReason,
		},
		"a server that throttles": {
			fault.Wait(v1alpha1.ThrottledReason, time.Second, ErrThrottled), fault.ClassStall, v1alpha1.PhaseTimeoutReason,
		},
		"a server that is silent": {
			fault.Retry(v1alpha1.ApplyFailedReason, ErrUnanswered), fault.ClassStall, v1alpha1.PhaseTimeoutReason,
		},
		"not a Stall, which is one already": {
			fault.Stall(v1alpha1.ObjectInvalidReason, errBroken), fault.ClassStall, v1alpha1.ObjectInvalidReason,
		},
		"not a pass that was stopped": {
			stoppedError{fault.Wait(v1alpha1.PausedReason, 0, errBroken)}, fault.ClassWait, v1alpha1.PausedReason,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			r := rolloutOf(cluster, releaseOf(t, "one", secrets(2)))
			cluster.fail = func(_ int, c call) (error, bool) {
				if c.verb == "apply" && c.path != parentPath {
					return test.given, false
				}
				return nil, true
			}
			r.Run(t.Context())
			o := r.at(11 * time.Minute).Run(t.Context())
			if fault.ClassOf(o.Err) != test.wantClass || fault.ReasonOf(o.Err, "") != test.wantReason {
				t.Errorf("want %v %s, got %v", test.wantClass, test.wantReason, o.Err)
			}
		})
	}
}

func TestObjectThatIsBeingDeletedIsWaitedFor(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.putSpace()
	cluster.put(accountPath, map[string]any{
		"apiVersion": "v1", "kind": "ServiceAccount",
		"metadata": map[string]any{"name": "operator", "deletionTimestamp": "2026-08-01T11:59:00Z"},
	})
	r := rolloutOf(cluster, releaseOf(t, "one", addOn()...))
	o := settle(t, r)
	wantErr(t, o.Err, fault.ClassWait, v1alpha1.ObjectTerminatingReason, goneRetry,
		"phase operator: ServiceAccount operator/operator is being deleted: it is applied when it is gone")
	if slices.Contains(cluster.take("apply"), accountPath) {
		t.Error("want it left alone until it is gone")
	}
	delete(cluster.objects, accountPath)
	converge(t, r)
	if cluster.objects[accountPath] == nil {
		t.Error("want it applied when it is gone")
	}
}

func TestSharedObjectGetsTheAnnotationOfAShare(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	release := releaseOf(t, "one", addOn()...)
	other := inventory.ParentOf("default", "other")
	var sha string
	for object := range release.Plan.All {
		if object.Kind == "ServiceAccount" {
			sha = object.SHA256
		}
	}
	cluster.putSpace()
	cluster.put(accountPath, map[string]any{
		"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{
			"name": "operator", "labels": map[string]any{inventory.PartOfLabel: other.ID()},
			"annotations": map[string]any{inventory.SHA256Annotation: sha},
		},
	})
	r := rolloutOf(cluster, release)
	r.Living = inventory.LivingOf(
		types.NamespacedName{Namespace: "default", Name: "cni"}, types.NamespacedName{Namespace: "default", Name: "other"})
	r.Run(t.Context()) // the definitions
	r.Run(t.Context())
	applied := &metav1.PartialObjectMetadata{}
	if err := json.Unmarshal(cluster.objects[accountPath].body, applied); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{r.Parent.SharedAnnotation(): sha}
	if diff := cmp.Diff(want, applied.Annotations); diff != "" || len(applied.Labels) > 0 {
		t.Errorf("want the owner's marks left to it, got labels %v, annotations (-want +got):\n%s", applied.Labels, diff)
	}
	if strings.Contains(string(cluster.objects[accountPath].body), inventory.PartOfLabel) {
		t.Error("want no label of a member")
	}
}

func TestEachOfTheWritesOfOneObjectIsAllowed(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.put(spacePath, map[string]any{"kind": "Namespace", "metadata": map[string]any{"name": "operator"}})
	cluster.objects[spacePath].manager = "kubectl" // so its fields are moved first
	var moved atomic.Bool
	cluster.done = func(_ int, c call) {
		if c.verb == "move" {
			moved.Store(true)
		}
	}
	r := rolloutOf(cluster, releaseOf(t, "one", written{name: "all", documents: []string{object("v1", "Namespace", "", "operator")}}))
	r.Guard = func() error {
		if moved.Load() {
			return fault.Wait(v1alpha1.PausedReason, 0, errBroken)
		}
		return nil
	}
	o := r.Run(t.Context())
	faulttest.Want(t, o.Err, fault.ClassWait, v1alpha1.PausedReason, errBroken.Error())
	if got := cluster.objects[spacePath].applied; got > 0 || !moved.Load() {
		t.Errorf("want nothing applied behind the move, got %d applies", got)
	}
}
