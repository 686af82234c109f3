package rollout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
)

var (
	begun = inventory.PhaseTimes{Started: noon}
	done  = inventory.PhaseTimes{Started: noon, Completed: noon}
)

// pending, and so on: the three phases of the add-on in their states.
func pending(name string, objects int) PhaseOutcome {
	return PhaseOutcome{Name: name, State: v1alpha1.PendingPhaseState, Objects: objects}
}

func isReady(name string, objects int) PhaseOutcome {
	return PhaseOutcome{
		Name: name, State: v1alpha1.ReadyPhaseState, Objects: objects, Ready: objects, AllApplied: true, Times: done,
	}
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	const (
		crdsWait = "phase crds: 2 of 2 CustomResourceDefinitions are not served yet: " +
			"gadgets.example.com, widgets.example.com"
		deployWait = "phase operator: Deployment operator/operator: not observed by its controller yet"
	)
	broken := func(verb, path string) func(*memory) {
		return func(m *memory) {
			m.fail = func(_ int, c call) (error, bool) {
				if c.verb == verb && c.path == path {
					return fault.Retry(v1alpha1.ApplyFailedReason, errBroken), false
				}
				return nil, false
			}
		}
	}
	tests := map[string]struct {
		given       func(*memory)
		givenAge    time.Duration
		want        []PhaseOutcome
		wantCurrent int
		wantApplied bool
		wantUnknown bool
	}{
		"the parent cannot be read": {
			given:       broken("object", parentPath),
			want:        []PhaseOutcome{pending("crds", 2), pending("operator", 4), pending("resources", 3)},
			wantUnknown: true,
		},
		"an object of the first step fails": {
			given: broken("apply", widgetsPath),
			want: []PhaseOutcome{
				{
					Name: "crds", State: v1alpha1.ApplyingPhaseState, Objects: 2, Ready: 1, Times: begun,
					Message: "phase crds: the connection broke",
				},
				pending("operator", 4), pending("resources", 3),
			},
		},
		"the definitions are not served": {
			given: func(m *memory) { m.discoveryDelay = never },
			want: []PhaseOutcome{
				{Name: "crds", State: v1alpha1.WaitingPhaseState, Objects: 2, AllApplied: true, Times: begun, Message: crdsWait},
				pending("operator", 4), pending("resources", 3),
			},
		},
		"the operator does not run": {
			given: func(m *memory) { m.workloadDelay = never },
			want: []PhaseOutcome{
				isReady("crds", 2),
				{Name: "operator", State: v1alpha1.WaitingPhaseState, Objects: 4, Ready: 2, Times: begun, Message: deployWait},
				pending("resources", 3),
			},
			wantCurrent: 1,
		},
		"the operator took too long": {
			given: func(m *memory) { m.workloadDelay = never }, givenAge: time.Hour,
			want: []PhaseOutcome{
				isReady("crds", 2),
				{
					Name: "operator", State: v1alpha1.FailedPhaseState, Objects: 4, Ready: 2, Times: begun,
					Message: "phase operator: not ready after 10m0s: " +
						"Deployment operator/operator: not observed by its controller yet",
				},
				pending("resources", 3),
			},
			wantCurrent: 1,
		},
		"everything is ready": {
			given:       func(*memory) {},
			want:        []PhaseOutcome{isReady("crds", 2), isReady("operator", 4), isReady("resources", 3)},
			wantCurrent: 3, wantApplied: true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			test.given(cluster)
			r := rolloutOf(cluster, releaseOf(t, "one", addOn()...))
			o := settle(t, r)
			if test.givenAge > 0 {
				o = r.at(test.givenAge).Run(t.Context())
			}
			if diff := cmp.Diff(test.want, o.Phases); diff != "" {
				t.Errorf("phases (-want +got):\n%s", diff)
			}
			if o.Current != test.wantCurrent || o.Applied() != test.wantApplied || o.Known == test.wantUnknown {
				t.Errorf("want current %d, applied %t, known %t, got %d, %t, %t",
					test.wantCurrent, test.wantApplied, !test.wantUnknown, o.Current, o.Applied(), o.Known)
			}
		})
	}
}

func TestNothingKnownIsNotApplied(t *testing.T) {
	t.Parallel()
	if (Outcome{}).Applied() || !(Outcome{Known: true}).Applied() {
		t.Error("want a plan of no phases applied as soon as its parent is known, and not before")
	}
}

func TestAppliedStaysWhenOnlyTheLastGateIsLeft(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenAge  time.Duration
		wantState v1alpha1.PhaseState
	}{
		"it waits":         {0, v1alpha1.WaitingPhaseState},
		"it took too long": {time.Hour, v1alpha1.FailedPhaseState},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			cluster.workloadDelay = never
			r := rolloutOf(cluster, releaseOf(t, "one", written{
				name: "operator", documents: []string{object("apps/v1", "Deployment", "operator", "operator")},
			}))
			settle(t, r)
			o := r.at(test.givenAge).Run(t.Context())
			if !o.Applied() || o.Phases[0].State != test.wantState || o.Phases[0].Ready != 0 {
				t.Errorf("want it applied and %s, got %+v", test.wantState, o)
			}
		})
	}
}

func TestCompleteReleaseThatIsNoLongerReady(t *testing.T) {
	t.Parallel()
	gone := conditions("Progressing", "False", "ProgressDeadlineExceeded", "gave up")
	tests := map[string]struct {
		givenStatus map[string]any
		givenFail   error
		wantClass   fault.Class
		wantState   v1alpha1.PhaseState
		wantReady   int
		wantMessage string
	}{
		"a Deployment that lost its replicas is waited for": {
			givenStatus: map[string]any{"observedGeneration": int64(1)}, wantClass: fault.ClassWait,
			wantState: v1alpha1.WaitingPhaseState, wantReady: 3,
			wantMessage: "phase operator: Deployment operator/operator: Replicas: 0/1",
		},
		"a Deployment that gave up has failed": {
			givenStatus: gone, wantClass: fault.ClassStall, wantState: v1alpha1.FailedPhaseState, wantReady: 3,
			wantMessage: "phase operator: Deployment operator/operator: Progress deadline exceeded",
		},
		"a Deployment that cannot be read is waited for": {
			givenFail: errBroken, wantClass: fault.ClassRetry, wantState: v1alpha1.WaitingPhaseState, wantReady: 4,
			wantMessage: "phase operator: the connection broke",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			r := rolloutOf(cluster, releaseOf(t, "one", addOn()...))
			converge(t, r)
			cluster.take("apply")
			cluster.objects[operatorPath].status = test.givenStatus
			cluster.fail = func(_ int, c call) (error, bool) {
				if c.path != operatorPath {
					return nil, false
				}
				return test.givenFail, test.givenFail == nil
			}
			// Long after the phase's timeout, which is over with its completion.
			o := r.at(24 * time.Hour).Run(t.Context())
			if o.Err == nil || o.Err.Error() != test.wantMessage || fault.ClassOf(o.Err) != test.wantClass {
				t.Errorf("want class %d, %q, got %d, %v", test.wantClass, test.wantMessage, fault.ClassOf(o.Err), o.Err)
			}
			want := []PhaseOutcome{isReady("crds", 2), isReady("operator", 4), isReady("resources", 3)}
			want[1].State, want[1].Ready, want[1].Message = test.wantState, test.wantReady, test.wantMessage
			if diff := cmp.Diff(want, o.Phases); diff != "" {
				t.Errorf("phases (-want +got):\n%s", diff)
			}
			if got := cluster.take("apply"); len(got) > 0 || !o.Applied() {
				t.Errorf("want it applied, and nothing written, got %v", got)
			}
		})
	}
}

func TestCompletionKeepsWatchOnEarlierPhases(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.workloadDelay = 1
	agent := written{name: "agent", documents: []string{object("apps/v1", "DaemonSet", "operator", "agent")}}
	phases := append(addOn(), agent)
	r := rolloutOf(cluster, releaseOf(t, "one", phases...))
	daemonSet := "apps/v1/operator/daemonsets/agent"
	for cluster.objects[daemonSet] == nil && t.Context().Err() == nil {
		r.Run(t.Context())
	}
	cluster.objects[daemonSet].status = map[string]any{"observedGeneration": int64(1), "desiredNumberScheduled": int64(0)}
	for _, name := range []string{"the pass that completes", "a later pass"} {
		o := r.Run(t.Context())
		if o.Err != nil {
			t.Fatalf("%s: %v", name, o.Err)
		}
		watched := make(map[string]bool)
		for _, target := range forGates(o.Targets) {
			watched[target.Resource.Plural] = true
		}
		if diff := cmp.Diff(map[string]bool{"deployments": true, "daemonsets": true}, watched); diff != "" {
			t.Errorf("%s: watched (-want +got):\n%s", name, diff)
		}
	}
}

func TestCompletionLooksAtEarlierPhases(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	phases := addOn()
	phases[2].readyWhen = []v1alpha1.ReadyWhen{{
		Object:     v1alpha1.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: "operator", Name: "done"},
		Expression: "true",
	}}
	r := rolloutOf(cluster, releaseOf(t, "one", phases...))
	settle(t, r)
	cluster.objects[operatorPath].status = map[string]any{"observedGeneration": int64(1)}
	cluster.put("v1/operator/secrets/done", map[string]any{"apiVersion": "v1", "kind": "Secret"})
	o := r.Run(t.Context())
	wantErr(t, o.Err, fault.ClassWait, v1alpha1.WorkloadsNotReadyReason, workloadRetry,
		"phase operator: Deployment operator/operator: Replicas: 0/1")
	if o.Current != 3 || !o.Applied() {
		t.Errorf("want it complete all the same, got %+v", o)
	}
}
