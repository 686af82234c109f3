package rollout

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var errBroken = errors.New("the connection broke")

// nextAddOn is the release after addOn: its Deployment has changed, it has one
// more ConfigMap, and its ServiceAccount is gone.
func nextAddOn() []written {
	phases := addOn()
	operator, resources := &phases[1], &phases[2]
	var documents []string
	for _, document := range operator.documents {
		if !strings.Contains(document, "kind: ServiceAccount") {
			documents = append(documents, strings.ReplaceAll(document, "kind: Deployment", "kind: Deployment\nspec: {paused: true}"))
		}
	}
	operator.documents = documents
	resources.documents = append(resources.documents, object("v1", "ConfigMap", "operator", "more"))
	return phases
}

// handedOver is what an install and the hand-over to the next release leave.
type handedOver struct {
	Bodies  map[string]string
	Applied map[string]int // how often each object was applied
}

// timePattern finds the times in the parent.
var timePattern = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// left returns what is in the cluster. When and how often the parent was written
// does not count: a pass that is cut writes it once more.
func (m *memory) left() handedOver {
	all := handedOver{Bodies: m.bodies(), Applied: make(map[string]int)}
	all.Bodies[parentPath] = timePattern.ReplaceAllString(all.Bodies[parentPath], "")
	for at, object := range m.objects {
		if at != parentPath {
			all.Applied[at] = object.applied
		}
	}
	return all
}

// handOver makes passes until the first release is complete, and then the next, a
// second apart: with the context as long as it lasts.
func handOver(ctx context.Context, t *testing.T, cluster *memory, memory *Memory, releases ...Release) {
	t.Helper()
	var now time.Duration
	for _, release := range releases {
		r := rolloutOf(cluster, release)
		r.Memory = memory
		now = complete(ctx, t, r, now)
	}
}

// complete makes passes, the first so long after noon, until the release is
// complete, and returns when that was.
func complete(ctx context.Context, t *testing.T, r Rollout, now time.Duration) time.Duration {
	t.Helper()
	var o Outcome
	for range enough {
		if ctx.Err() != nil {
			ctx = t.Context()
		}
		if o = r.at(now).Run(ctx); o.Err == nil {
			return now
		}
		now += time.Second
	}
	t.Fatalf("still not ready after %d passes: %v", enough, o.Err)
	return now
}

// wantLeftAlone checks that a pass over a complete release applies nothing.
func wantLeftAlone(t *testing.T, cluster *memory, memory *Memory, release Release) {
	t.Helper()
	cluster.take("apply")
	r := rolloutOf(cluster, release)
	r.Memory = memory
	r.Run(t.Context())
	if got := cluster.take("apply"); len(got) > 0 {
		t.Errorf("applied when complete: %v", got)
	}
}

// slowMemory is a cluster in which discovery and workloads take their time.
func slowMemory(t *testing.T) *memory {
	t.Helper()
	cluster := newMemory(t)
	cluster.discoveryDelay, cluster.workloadDelay = 2, 2
	return cluster
}

// TestBrokenPassesConverge breaks an install and the hand-over to the next release
// at every single call: the cluster comes to the content that it has without, and
// nothing is applied twice that did not change.
func TestBrokenPassesConverge(t *testing.T) {
	t.Parallel()
	// Each breaks call n, and returns the context of the passes until then.
	faults := map[string]func(t *testing.T, cluster *memory, n int) context.Context{
		"a call that fails without effect": func(t *testing.T, cluster *memory, broken int) context.Context {
			t.Helper()
			cluster.fail = func(n int, _ call) (error, bool) { return errAt(n, broken), false }
			return t.Context()
		},
		"a call whose answer is lost": func(t *testing.T, cluster *memory, broken int) context.Context {
			t.Helper()
			cluster.fail = func(n int, _ call) (error, bool) { return errAt(n, broken), true }
			return t.Context()
		},
		"a pass that is cut off behind a call": func(t *testing.T, cluster *memory, broken int) context.Context {
			t.Helper()
			ctx, cancel := context.WithCancel(t.Context())
			cluster.done = func(n int, _ call) {
				if n == broken {
					cancel()
				}
			}
			return ctx
		},
	}
	memories := map[string]func() *Memory{
		"remembered":     func() *Memory { return &Memory{} },
		"not remembered": func() *Memory { return nil },
	}
	for name, fault := range faults {
		for kind, remembered := range memories {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				wantConvergedWhateverBreaks(t, fault, remembered)
			})
		}
	}
}

func wantConvergedWhateverBreaks(
	t *testing.T, fault func(*testing.T, *memory, int) context.Context, remembered func() *Memory,
) {
	t.Helper()
	releases := []Release{releaseOf(t, "one", addOn()...), releaseOf(t, "two", nextAddOn()...)}
	reference := slowMemory(t)
	handOver(t.Context(), t, reference, remembered(), releases...)
	want, calls := reference.left(), len(reference.calls)
	wantOnce(t, want)
	if calls < 35 {
		t.Fatalf("want many calls, got %d", calls)
	}
	for n := 1; n <= calls; n++ {
		cluster, memory := slowMemory(t), remembered()
		handOver(fault(t, cluster, n), t, cluster, memory, releases...)
		if diff := cmp.Diff(want, cluster.left()); diff != "" {
			t.Errorf("left behind (-want +got):\n%s", diff)
		}
		cluster.fail, cluster.done = nil, nil
		wantLeftAlone(t, cluster, memory, releases[1])
		if t.Failed() {
			t.Fatalf("broken at call %d of %d", n, calls)
		}
	}
}

// wantOnce checks that each object was applied once, and again if it changed, and
// that what left the release is gone.
func wantOnce(t *testing.T, left handedOver) {
	t.Helper()
	want := map[string]int{
		widgetsPath: 1, gadgetsPath: 1, spacePath: 1, operatorPath: 2, webhookPath: 1,
		widgetPath: 1, gadgetPath: 1, settingsPath: 1, "v1/operator/configmaps/more": 1,
	}
	if diff := cmp.Diff(want, left.Applied); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
}

func errAt(n, broken int) error {
	if n == broken {
		return errBroken
	}
	return nil
}

func TestCancelledPassMakesNoCallsThatCount(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := rolloutOf(cluster, releaseOf(t, "one", addOn()...)).Run(ctx)
	if !errors.Is(o.Err, context.Canceled) || o.Known || len(cluster.objects) > 0 {
		t.Errorf("want nothing but the error of the context, got %+v", o)
	}
}

// TestWhatALoserLeftIsRepaired has a writer that lost apply an object of another
// release after the last pass: its request was long under way.
func TestWhatALoserLeftIsRepaired(t *testing.T) {
	t.Parallel()
	release := releaseOf(t, "two", nextAddOn()...)
	tests := map[string]struct {
		givenOnce bool
		want      bool
	}{
		"as soon as a watch reports it": {want: true},
		"not of what is applied once":   {givenOnce: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			r := rolloutOf(cluster, release)
			r.Memory, r.Once = &Memory{}, tc.givenOnce
			completed := complete(t.Context(), t, r, 0)
			want := cluster.bodies()
			loser := newMemory(t)
			converge(t, rolloutOf(loser, releaseOf(t, "one", addOn()...)))
			cluster.objects[operatorPath].body = loser.objects[operatorPath].body

			complete(t.Context(), t, r, completed+time.Second)
			if got := cmp.Diff(want, cluster.bodies()) == ""; got != tc.want {
				t.Errorf("want repaired %t, got %t", tc.want, got)
			}
		})
	}
}

// TestAParentThatIsGoneIsMadeAgain has passes come more often than a Memory lasts.
func TestAParentThatIsGoneIsMadeAgain(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	r := rolloutOf(cluster, releaseOf(t, "one", addOn()...))
	r.Memory = &Memory{}
	completed := complete(t.Context(), t, r, 0)
	delete(cluster.objects, parentPath)
	for after := time.Duration(0); after < 2*memoryLife; after += memoryLife / 3 {
		complete(t.Context(), t, r, completed+after)
	}
	if cluster.objects[parentPath] == nil {
		t.Error("want the parent made again")
	}
}
