package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/semaphore"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// secrets is a phase of so many objects of one step, with names in order.
func secrets(n int) written {
	phase := written{name: "many"}
	for i := range n {
		phase.documents = append(phase.documents, object("v1", "Secret", "", fmt.Sprintf("s%03d", i)))
	}
	return phase
}

func TestObjectThatFailsDoesNotKeepTheOthers(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.fail = func(_ int, c call) (error, bool) {
		if c.verb == "apply" && (strings.HasSuffix(c.path, "/s003") || strings.HasSuffix(c.path, "/s001")) {
			return fault.Stallf(v1alpha1.ObjectInvalidReason, "%s is refused", c.path), false
		}
		return nil, false
	}
	o := rolloutOf(cluster, releaseOf(t, "one", secrets(20))).Run(t.Context())
	wantErr(t, o.Err, fault.ClassStall, v1alpha1.ObjectInvalidReason, 0,
		"phase many: v1/default/secrets/s001 is refused; v1/default/secrets/s003 is refused")
	if got := len(cluster.objects); got != 19 {
		t.Errorf("want the parent and 18 objects, got %d", got)
	}
	if _, record := cluster.parent(); record.Progress.Phase != 0 {
		t.Errorf("want no phase recorded, got %+v", record.Progress)
	}
}

func TestThrottlingEndsThePass(t *testing.T) {
	t.Parallel()
	const objects = 200
	cluster := newMemory(t)
	throttled := 0
	cluster.fail = func(_ int, c call) (error, bool) {
		if c.verb != "apply" || c.path == parentPath {
			return nil, true
		}
		throttled++
		return fault.Wait(v1alpha1.ThrottledReason, 7*time.Second, fmt.Errorf("%w: HTTP 429", ErrThrottled)), false
	}
	o := rolloutOf(cluster, releaseOf(t, "one", secrets(objects))).Run(t.Context())
	if fault.ClassOf(o.Err) != fault.ClassWait || fault.ReasonOf(o.Err, "") != v1alpha1.ThrottledReason ||
		fault.AfterOf(o.Err) != 7*time.Second {
		t.Errorf("want to wait as long as the server asks for, got %v after %s", o.Err, fault.AfterOf(o.Err))
	}
	// Besides those that were under way, each may have let one more begin.
	if throttled == 0 || throttled > 2*parallel {
		t.Errorf("want at most %d requests, got %d", 2*parallel, throttled)
	}
}

func TestASilentServerEndsThePass(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	unanswered := 0
	cluster.fail = func(_ int, c call) (error, bool) {
		if c.verb != "apply" || c.path == parentPath {
			return nil, true
		}
		unanswered++
		return fault.Retry(v1alpha1.ApplyFailedReason, ErrUnanswered), false
	}
	o := rolloutOf(cluster, releaseOf(t, "one", secrets(200))).Run(t.Context())
	if !errors.Is(o.Err, ErrUnanswered) || fault.ClassOf(o.Err) != fault.ClassRetry {
		t.Errorf("want to try again, got %v", o.Err)
	}
	if unanswered == 0 || unanswered > 2*parallel {
		t.Errorf("want at most %d requests, got %d", 2*parallel, unanswered)
	}
}

// TestAClusterThatDoesNotAnswerLeavesTheBudgetToOthers is about what a pass holds while
// none of its writes is answered.
func TestAClusterThatDoesNotAnswerLeavesTheBudgetToOthers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		length int64 // of each object
		want   int64 // of the budget that a pass takes
	}{
		"small objects":                     {1 << 10, parallel << 11},
		"large objects":                     {1 << 20, 2 << 20},
		"one that is larger than its share": {2 << 20, 4 << 20},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const budget = 64 << 20
				r := rolloutOf(newMemory(t), releaseOf(t, "one", secrets(1)))
				r.Budget = semaphore.NewWeighted(budget)
				p, ctx, object := newPass(t.Context(), r), t.Context(), &plan.Object{}
				object.Length = tc.length
				answered := make(chan struct{})
				for range parallel {
					go func() {
						free, err := p.takeBudget(ctx, object)
						if err != nil {
							t.Error(err)
							return
						}
						<-answered
						free()
					}()
				}
				synctest.Wait()
				if !r.Budget.TryAcquire(budget-tc.want) || r.Budget.TryAcquire(1) {
					t.Errorf("want the pass to hold %d of the budget", tc.want)
				}
				r.Budget.Release(budget - tc.want)
				close(answered)
				synctest.Wait()
				if !r.Budget.TryAcquire(budget) || !p.budget.TryAcquire(passBudget) {
					t.Error("want all of it given back")
				}
			})
		})
	}
}

func TestBytesThatCannotBeReadAreNotApplied(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	release := releaseOf(t, "one", secrets(2))
	release.JSON = func(o plan.Object) ([]byte, error) {
		return nil, fault.Retry(v1alpha1.StoreFailedReason, fmt.Errorf("%s: no file", o.Ref))
	}
	o := rolloutOf(cluster, release).Run(t.Context())
	wantErr(t, o.Err, fault.ClassRetry, v1alpha1.StoreFailedReason, 0,
		"phase many: Secret default/s000: no file; Secret default/s001: no file")
	if diff := cmp.Diff([]string{parentPath}, cluster.take("apply")); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
}

func TestCollisions(t *testing.T) {
	t.Parallel()
	ours := inventory.ParentOf("default", "cni").ID()
	tests := map[string]struct {
		givenLabels, givenAnnotations map[string]any
		givenAdoption                 v1alpha1.Adoption
		wantMessage                   string
	}{
		"an object of nobody is adopted": {givenAdoption: v1alpha1.IfUnownedAdoption},
		"an object of ours is applied": {
			givenLabels: map[string]any{inventory.PartOfLabel: ours}, givenAdoption: v1alpha1.IfUnownedAdoption,
		},
		"an object of another ApplySet collides": {
			givenLabels: map[string]any{inventory.PartOfLabel: "applyset-x-v1"}, givenAdoption: v1alpha1.IfUnownedAdoption,
			wantMessage: "the ApplySet applyset-x-v1",
		},
		"an object of Helm collides": {
			givenAnnotations: map[string]any{
				"meta.helm.sh/release-name": "calico", "meta.helm.sh/release-namespace": "tigera-operator",
			},
			givenAdoption: v1alpha1.IfUnownedAdoption,
			wantMessage:   "the Helm release tigera-operator/calico",
		},
		"an object of Flux collides": {
			givenLabels: map[string]any{
				"kustomize.toolkit.fluxcd.io/name": "cni", "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
			},
			givenAdoption: v1alpha1.IfUnownedAdoption,
			wantMessage:   "the Flux Kustomization flux-system/cni",
		},
		"an adoption that is not written is careful": {
			givenLabels: map[string]any{inventory.PartOfLabel: "applyset-x-v1"},
			wantMessage: "the ApplySet applyset-x-v1",
		},
		"an object of another owner is taken over when asked for": {
			givenLabels:      map[string]any{inventory.PartOfLabel: "applyset-x-v1"},
			givenAnnotations: map[string]any{"meta.helm.sh/release-name": "calico"},
			givenAdoption:    v1alpha1.AlwaysAdoption,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			cluster.putSpace()
			cluster.put(accountPath, map[string]any{
				"apiVersion": "v1", "kind": "ServiceAccount",
				"metadata": map[string]any{"name": "operator", "labels": test.givenLabels, "annotations": test.givenAnnotations},
			})
			before := string(cluster.objects[accountPath].body)
			r := rolloutOf(cluster, releaseOf(t, "one", addOn()...))
			r.Adoption = test.givenAdoption
			o := settle(t, r)
			taken := string(cluster.objects[accountPath].body) != before
			if test.wantMessage == "" {
				if o.Err != nil || !taken {
					t.Errorf("want it applied, got %v", o.Err)
				}
				return
			}
			wantErr(t, o.Err, fault.ClassStall, v1alpha1.CollisionReason, 0,
				"phase operator: ServiceAccount operator/operator is owned by "+test.wantMessage+
					": remove it there, or take it over with adoption: Always")
			if taken || cluster.objects[spacePath].applied > 0 || cluster.objects[operatorPath] != nil {
				t.Error("want neither the object nor any other of its phase applied")
			}
		})
	}
}

// gauge counts the objects between their reading and the end of their apply. The
// first applies wait for each other until so many have come together.
type gauge struct {
	together chan struct{}

	mu       sync.Mutex
	arrived  int
	now, max int
}

func (g *gauge) add(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now += n
	g.max = max(g.max, g.now)
}

func (g *gauge) arrive(wanted int) {
	g.mu.Lock()
	if g.arrived++; g.arrived == wanted {
		close(g.together)
	}
	g.mu.Unlock()
	<-g.together
}

// gauged is a cluster whose applies are counted.
type gauged struct {
	*memory

	gauge  *gauge
	wanted int
}

func (g gauged) Create(
	ctx context.Context, r manifest.Resource, ref manifest.Ref, body []byte, manager string,
) (*metav1.PartialObjectMetadata, error) {
	return g.Apply(ctx, r, ref, body, manager)
}

func (g gauged) Apply(
	ctx context.Context, r manifest.Resource, ref manifest.Ref, body []byte, manager string,
) (*metav1.PartialObjectMetadata, error) {
	if ref.Kind == "ConfigMap" {
		return g.memory.Apply(ctx, r, ref, body, manager)
	}
	g.gauge.arrive(g.wanted)
	defer g.gauge.add(-1)
	return g.memory.Apply(ctx, r, ref, body, manager)
}

func TestBudgetBoundsTheBytesInMemory(t *testing.T) {
	t.Parallel()
	const together = 3
	release := releaseOf(t, "one", secrets(30))
	length := release.Plan.Phases[0].Steps[0].Objects[0].Length
	cluster := gauged{memory: newMemory(t), gauge: &gauge{together: make(chan struct{})}, wanted: together}
	read := release.JSON
	release.JSON = func(o plan.Object) ([]byte, error) {
		cluster.gauge.add(1)
		return read(o)
	}
	r := rolloutOf(cluster, release)
	// An object is in memory twice.
	r.Budget = semaphore.NewWeighted(together * 2 * length)
	if o := r.Run(t.Context()); o.Err != nil {
		t.Fatal(o.Err)
	}
	if cluster.gauge.max != together || cluster.gauge.now != 0 {
		t.Errorf("want %d objects at once and none in the end, got %d and %d", together, cluster.gauge.max, cluster.gauge.now)
	}
	if !r.Budget.TryAcquire(together * 2 * length) {
		t.Error("want the whole budget back")
	}
}

func TestObjectTakesItsDoubleFromTheBudget(t *testing.T) {
	t.Parallel()
	release := releaseOf(t, "one", secrets(1))
	read := release.JSON
	r := rolloutOf(newMemory(t), release)
	r.Release.JSON = func(o plan.Object) ([]byte, error) {
		rest := 1<<20 - 2*o.Length
		if r.Budget.TryAcquire(rest + 1) {
			t.Errorf("more than %d bytes are left while an object of %d is in memory", rest, o.Length)
		}
		if r.Budget.TryAcquire(rest) {
			r.Budget.Release(rest)
		} else {
			t.Errorf("fewer than %d bytes are left while an object of %d is in memory", rest, o.Length)
		}
		return read(o)
	}
	if o := r.Run(t.Context()); o.Err != nil {
		t.Error(o.Err)
	}
}

func TestPassWithoutBudgetEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		cluster := newMemory(t)
		r := rolloutOf(cluster, releaseOf(t, "one", secrets(20)))
		r.Budget = semaphore.NewWeighted(1 << 20)
		if !r.Budget.TryAcquire(1 << 20) {
			t.Fatal("the budget is not free")
		}
		ended := make(chan Outcome, 1)
		go func() { ended <- r.Run(ctx) }()
		synctest.Wait()
		if got := cluster.take("list"); len(got) != 1 || len(ended) > 0 {
			t.Fatalf("want all objects looked at and the pass waiting for its budget, got %v", got)
		}
		cancel()
		if o := <-ended; !errors.Is(o.Err, context.Canceled) {
			t.Errorf("want the error of the context, got %v", o.Err)
		}
		if diff := cmp.Diff([]string{parentPath}, slices.Sorted(maps.Keys(cluster.objects))); diff != "" {
			t.Errorf("objects (-want +got):\n%s", diff)
		}
	})
}
