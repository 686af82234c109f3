package rollout

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
)

// takeAll returns all calls since the last take, in their order, and forgets them.
func (m *memory) takeAll() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []string
	for _, c := range m.calls {
		all = append(all, c.verb+" "+c.path)
	}
	m.calls = nil
	return all
}

func TestPassAtAClosedGateAsksOnlyTheGate(t *testing.T) {
	t.Parallel()
	two := object("apps/v1", "Deployment", "operator", "second")
	tests := map[string]struct {
		givenDiscovery, givenWorkload int
		givenMore                     []string
		givenAge                      time.Duration
		want                          []string
	}{
		"of definitions that were applied a moment ago": {givenDiscovery: never},
		"of definitions that may be served by now": {
			givenDiscovery: never, givenAge: time.Second, want: []string{"served [example.com/v1]"},
		},
		"of a workload": {
			givenWorkload: never, givenAge: time.Second, want: []string{"object " + operatorPath},
		},
		"of several workloads of a kind": {
			givenWorkload: never, givenAge: time.Second, givenMore: []string{two},
			want: []string{"objects apps/v1/operator/deployments"},
		},
		"and everything after a while": {
			givenDiscovery: never, givenAge: memoryLife + time.Second, want: []string{
				"object " + parentPath, "list apiextensions.k8s.io/v1/customresourcedefinitions", "served [example.com/v1]",
				"object " + gadgetsPath, "object " + widgetsPath,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			phases := addOn()
			phases[1].documents = append(phases[1].documents, test.givenMore...)
			cluster := newMemory(t)
			cluster.discoveryDelay, cluster.workloadDelay = test.givenDiscovery, test.givenWorkload
			r := remembering(cluster, releaseOf(t, "one", phases...))
			r.Run(t.Context())
			if test.givenDiscovery == 0 {
				r.at(time.Second).Run(t.Context())
			}
			cluster.takeAll()
			o := r.at(test.givenAge).Run(t.Context())
			if fault.ClassOf(o.Err) != fault.ClassWait {
				t.Errorf("want it to wait, got %v", o.Err)
			}
			if diff := cmp.Diff(sets(test.want), sets(cluster.takeAll())); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDiscoveryIsReadLessAndLessOften(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.discoveryDelay = never
	r := remembering(cluster, releaseOf(t, "one", addOn()...))
	var polls []time.Duration
	for at := time.Duration(0); at < 8*time.Second; at += 100 * time.Millisecond {
		r.at(at).Run(t.Context())
		if len(cluster.take("served")) > 0 {
			polls = append(polls, at)
		}
	}
	want := []time.Duration{ // 600 ms after the apply of two, then twice the delay each time
		600 * time.Millisecond, 700 * time.Millisecond, 900 * time.Millisecond, 1300 * time.Millisecond,
		2100 * time.Millisecond, 3700 * time.Millisecond, 5700 * time.Millisecond, 7700 * time.Millisecond,
	}
	if diff := cmp.Diff(want, polls); diff != "" {
		t.Errorf("polls (-want +got):\n%s", diff)
	}
}

func TestDiscoveryIsReadWhenTheWatchOfDefinitionsIsQuietAgain(t *testing.T) {
	t.Parallel()
	const noisy, quiet = false, true
	crds := membersOf("apiextensions.k8s.io", "customresourcedefinitions", false)
	tests := map[string]struct {
		given []bool // of each pass, 10 ms after the one before
		want  []int  // the passes that read discovery
	}{
		"not while it sees something": {given: []bool{noisy, noisy, noisy}},
		"once it sees nothing more":   {given: []bool{noisy, noisy, quiet, quiet}, want: []int{2}},
		"again after it saw more":     {given: []bool{noisy, quiet, noisy, quiet, quiet}, want: []int{1, 3}},
		"not before it saw anything":  {given: []bool{quiet, quiet}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			cluster.discoveryDelay = never
			r := remembering(cluster, releaseOf(t, "one", addOn()...))
			r.Run(t.Context())
			var got []int
			for pass, isQuiet := range test.given {
				r.IsQuiet = func(target Target) bool { return target == crds && isQuiet }
				o := r.at(time.Duration(pass+1) * 10 * time.Millisecond).Run(t.Context())
				if len(cluster.take("served")) > 0 {
					got = append(got, pass)
				}
				if after := fault.AfterOf(o.Err); !isQuiet && after > 4*settleTime {
					t.Errorf("pass %d: want the next one soon, got %s", pass, after)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("passes that read discovery (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAPassThatIsSlowComesBackToAGate has the time at which discovery is read next go by
// while the pass that waits for it is made.
func TestAPassThatIsSlowComesBackToAGate(t *testing.T) {
	t.Parallel()
	for step := 10 * time.Millisecond; step < maxPoll; step += 10 * time.Millisecond {
		cluster := newMemory(t)
		cluster.discoveryDelay = never
		r := rolloutOf(cluster, releaseOf(t, "one", addOn()[0]))
		passed := time.Duration(0)
		r.Memory, r.Now = &Memory{}, func() time.Time { passed += step; return noon.Add(passed) }
		for range 10 {
			o := r.Run(t.Context())
			if after := fault.AfterOf(o.Err); after <= 0 || after > maxPoll {
				t.Fatalf("want the gate looked at soon, got %s at %s in steps of %s: %v", after, passed, step, o.Err)
			}
		}
	}
}

func TestOnlyDefinitionsThatAreNotServedAreAskedForAgain(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.discoveryDelay = never
	phases := addOn()
	phases[0].documents = append(phases[0].documents, strings.ReplaceAll(crd("cogs", "Cog", "Cluster"), "example.com", "example.org"))
	cluster.extra = map[string][]metav1.APIResource{"example.org/v1": {{
		Name: "cogs", Kind: "Cog", SingularName: "cog", Verbs: metav1.Verbs{"create"},
	}}}
	r := remembering(cluster, releaseOf(t, "one", phases...))
	r.Run(t.Context())
	r.at(time.Second).Run(t.Context())
	r.at(2 * time.Second).Run(t.Context())
	want := []string{"[example.com/v1 example.org/v1]", "[example.com/v1]"}
	if diff := cmp.Diff(want, cluster.take("served")); diff != "" {
		t.Errorf("group versions read (-want +got):\n%s", diff)
	}
}

func TestWhatCannotExistIsNotLookedFor(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given func(*testing.T, *memory)
		in    []written
		want  []string
	}{
		"in a Namespace that does not exist, or of a kind that does not": {
			in: []written{mixed()}, want: []string{spacePath, webhookPath},
		},
		"of a kind that did not exist in a phase before": {
			in: addOn(), want: []string{spacePath, webhookPath, settingsPath},
		},
		"but in a Namespace that does, and of a kind that does": {
			in: []written{mixed()},
			given: func(t *testing.T, m *memory) {
				t.Helper()
				m.putSpace()
				converge(t, rolloutOf(m, releaseOf(t, "zero", addOn()[0])))
			},
			want: []string{spacePath, webhookPath, accountPath, settingsPath, operatorPath, widgetPath, gadgetPath},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			if test.given != nil {
				test.given(t, cluster)
			}
			cluster.take("")
			r := remembering(cluster, releaseOf(t, "one", test.in...))
			var looked []string
			for o, pass := (Outcome{Err: errBroken}), 0; o.Err != nil; pass++ {
				o = r.at(time.Duration(pass) * time.Second).Run(t.Context())
				looked = append(looked, cluster.take("metadata")...)
			}
			if diff := cmp.Diff(sets(test.want), sets(looked)); diff != "" {
				t.Errorf("looked for (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVanishedObjectOfAPhaseInProgressIsAppliedAgain(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.workloadDelay = never
	r := remembering(cluster, releaseOf(t, "one", addOn()...))
	r.Run(t.Context())
	r.at(time.Second).Run(t.Context())
	delete(cluster.objects, accountPath)
	r.at(2 * time.Second).Run(t.Context())
	if cluster.objects[accountPath] != nil {
		t.Error("want what was seen a moment ago believed")
	}
	r.at(memoryLife + time.Second).Run(t.Context())
	if cluster.objects[accountPath] == nil {
		t.Errorf("want it applied again after %s", memoryLife)
	}
}

func TestMemoryIsOfOneRelease(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.workloadDelay = never
	r := remembering(cluster, releaseOf(t, "one", addOn()...))
	r.Run(t.Context())
	r.at(time.Second).Run(t.Context())
	cluster.takeAll()
	r.Release = releaseOf(t, "two", addOn()...)
	r.at(2 * time.Second).Run(t.Context())
	if calls := cluster.takeAll(); len(calls) == 0 || calls[0] != "object "+parentPath {
		t.Errorf("want the parent read again for another digest, got %v", calls)
	}
}

func TestConflictOfTheParentForgetsAll(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	r := remembering(cluster, releaseOf(t, "one", addOn()...))
	r.Run(t.Context())
	cluster.objects[parentPath].version++ // somebody else wrote it
	o := r.at(time.Second).Run(t.Context())
	faulttest.Want(t, o.Err, fault.ClassWait, v1alpha1.WorkloadsNotReadyReason, inventory.ErrChanged.Error())
	cluster.takeAll()
	r.at(2 * time.Second).Run(t.Context())
	calls := cluster.takeAll()
	want := []string{"object " + parentPath, "list apiextensions.k8s.io/v1/customresourcedefinitions"}
	if len(calls) < 2 || cmp.Diff(want, calls[:2]) != "" {
		t.Errorf("want the cluster looked at again, got %v", calls)
	}
}

func TestKindThatIsNotServedIsNotSentAgainAndAgain(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	phase := written{name: "all", documents: []string{object("v1", "Namespace", "", "operator")}}
	for n := range 20 {
		phase.documents = append(phase.documents, object("other.org/v2", "Thing", "", fmt.Sprintf("t%02d", n)))
	}
	r := remembering(cluster, releaseOf(t, "one", phase))
	r.Run(t.Context())
	for pass := range 5 {
		cluster.takeAll()
		o := r.at(time.Duration(pass+1) * kindRetry).Run(t.Context())
		faulttest.Want(t, o.Err, fault.ClassWait, v1alpha1.KindNotServedReason, "Thing t00")
		if diff := cmp.Diff([]string{"resources other.org/v2"}, cluster.takeAll()); diff != "" {
			t.Errorf("pass %d: calls (-want +got):\n%s", pass, diff)
		}
	}
}

func TestAParentThatIsDeletedAMomentAfterALookIsMadeAnew(t *testing.T) {
	t.Parallel()
	cluster, r := completed(t)
	r.IsQuiet = quiet
	r = r.at(time.Hour)
	r.Run(t.Context())
	delete(cluster.objects, parentPath)
	r.IsQuiet = func(target Target) bool { return target != ParentTarget(r.Parent) }
	r.at(time.Hour + time.Second).Run(t.Context())
	if cluster.objects[parentPath] == nil {
		t.Error("want the parent there again")
	}
}
