package clusterbundle

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

var (
	noon  = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	start = metav1.NewTime(noon)
	end   = metav1.NewTime(noon.Add(time.Minute))
)

// passedUntil is the outcome of a pass over two phases of which so many are complete.
func passedUntil(current int) *rollout.Outcome {
	o := &rollout.Outcome{Known: true, Current: current, Phases: []rollout.PhaseOutcome{
		{Name: "crds", State: v1alpha1.PendingPhaseState, Objects: 2},
		{Name: "operator", State: v1alpha1.PendingPhaseState, Objects: 4},
	}}
	for i := range current {
		o.Phases[i].State, o.Phases[i].Ready, o.Phases[i].AllApplied = v1alpha1.ReadyPhaseState, o.Phases[i].Objects, true
		o.Phases[i].Times = inventory.PhaseTimes{Started: noon, Completed: noon.Add(time.Minute)}
	}
	return o
}

// statuses returns the conditions as "Type=Status Reason: Message".
func statuses(cb *v1alpha1.ClusterBundle) map[string]string {
	all := make(map[string]string)
	for _, c := range cb.Status.Conditions {
		all[c.Type] = strings.TrimSuffix(string(c.Status)+" "+c.Reason+": "+c.Message, ": ")
	}
	return all
}

func TestStatus(t *testing.T) {
	t.Parallel()
	waiting := fault.Wait(v1alpha1.CRDsNotServedReason, 0, errors.New("phase crds: soon"))
	stalled := fault.Stall(v1alpha1.CollisionReason, errors.New("phase operator: taken"))
	lastWaits := passedUntil(1)
	lastWaits.Phases[1].AllApplied = true
	const notPaused, notDeleting = "False NotPaused", "False NotDeleting"
	tests := map[string]struct {
		given     findings
		want      map[string]string
		wantPhase string
	}{
		"no pass was made": {
			given: findings{err: waiting},
			want: map[string]string{
				"Ready": "False CRDsNotServed: phase crds: soon", "Stalled": "False Progressing",
				"Paused": notPaused, "Deleting": notDeleting, "Applied": "True Applied",
			},
			wantPhase: "before",
		},
		"a pass that could not read the parent": {
			given: findings{err: errors.New("connection refused"), passed: &rollout.Outcome{Phases: passedUntil(0).Phases}},
			want: map[string]string{
				"Ready": "False InternalError: connection refused", "Stalled": "False Progressing",
				"Paused": notPaused, "Deleting": notDeleting, "Applied": "True Applied",
			},
			wantPhase: "before",
		},
		"a gate is closed": {
			given: findings{err: waiting, passed: passedUntil(0)},
			want: map[string]string{
				"Ready": "False CRDsNotServed: phase crds: soon", "Stalled": "False Progressing",
				"Paused": notPaused, "Deleting": notDeleting, "Applied": "False Progressing",
			},
			wantPhase: "crds 1/2",
		},
		"somebody else owns an object": {
			given: findings{err: stalled, passed: passedUntil(1)},
			want: map[string]string{
				"Ready": "False Collision: phase operator: taken", "Stalled": "True Collision: phase operator: taken",
				"Paused": notPaused, "Deleting": notDeleting, "Applied": "False Progressing",
			},
			wantPhase: "operator 2/2",
		},
		"only the last gate is closed": {
			given: findings{err: waiting, passed: lastWaits},
			want: map[string]string{
				"Ready": "False CRDsNotServed: phase crds: soon", "Stalled": "False Progressing",
				"Paused": notPaused, "Deleting": notDeleting, "Applied": "True Applied",
			},
			wantPhase: "operator 2/2",
		},
		"everything is ready": {
			given: findings{passed: passedUntil(2)},
			want: map[string]string{
				"Ready": "True Ready", "Stalled": "False Ready",
				"Paused": notPaused, "Deleting": notDeleting, "Applied": "True Applied",
			},
			wantPhase: "complete 2/2",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cb := &v1alpha1.ClusterBundle{ObjectMeta: metav1.ObjectMeta{Generation: 5}}
			cb.Status.Phase, cb.Status.Phases = "before", []v1alpha1.PhaseStatus{{Name: "before"}}
			cb.Status.Conditions = []metav1.Condition{{Type: "Applied", Status: metav1.ConditionTrue, Reason: "Applied"}}
			setStatus(cb, test.given)
			if diff := cmp.Diff(test.want, statuses(cb)); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			if cb.Status.Phase != test.wantPhase || cb.Status.ObservedGeneration != 5 {
				t.Errorf("want %q of generation 5, got %q of %d", test.wantPhase, cb.Status.Phase, cb.Status.ObservedGeneration)
			}
			if kept := cb.Status.Phases[0].Name == "before"; kept != (test.wantPhase == "before") {
				t.Errorf("want the phases of before: %t, got %+v", !kept, cb.Status.Phases)
			}
		})
	}
}

func TestStatusOfPhases(t *testing.T) {
	t.Parallel()
	passed := passedUntil(1)
	passed.Phases[1].Message = strings.Repeat("line\n", 1000)
	want := []v1alpha1.PhaseStatus{
		{Name: "crds", State: v1alpha1.ReadyPhaseState, Objects: 2, Ready: 2, StartTime: &start, CompletionTime: &end},
		{
			Name: "operator", State: v1alpha1.PendingPhaseState, Objects: 4,
			Message: strings.Repeat("line ", 1000)[:1021] + "…",
		},
	}
	if diff := cmp.Diff(want, phaseStatuses(passed.Phases)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPhaseTextOfNoPhases(t *testing.T) {
	t.Parallel()
	if got := phaseText(rollout.Outcome{}); got != "complete 0/0" {
		t.Errorf("want complete 0/0, got %q", got)
	}
}

func TestCompletedPhases(t *testing.T) {
	t.Parallel()
	open := v1alpha1.PhaseStatus{Name: "crds", StartTime: &start}
	complete := v1alpha1.PhaseStatus{Name: "crds", StartTime: &start, CompletionTime: &end}
	again := v1alpha1.PhaseStatus{Name: "crds", StartTime: &end, CompletionTime: new(metav1.NewTime(noon.Add(time.Hour)))}
	sameElsewhere := complete
	sameElsewhere.CompletionTime = new(metav1.NewTime(end.In(time.FixedZone("east", 3600))))
	tests := map[string]struct {
		givenBefore, givenAfter []v1alpha1.PhaseStatus
		want                    []v1alpha1.PhaseStatus
	}{
		"none has begun": {},
		"one goes on":    {[]v1alpha1.PhaseStatus{open}, []v1alpha1.PhaseStatus{open}, nil},
		"one completes": {
			[]v1alpha1.PhaseStatus{open}, []v1alpha1.PhaseStatus{complete}, []v1alpha1.PhaseStatus{complete},
		},
		"one begins and completes in one pass": {
			nil, []v1alpha1.PhaseStatus{complete}, []v1alpha1.PhaseStatus{complete},
		},
		"one stays complete": {
			[]v1alpha1.PhaseStatus{complete}, []v1alpha1.PhaseStatus{sameElsewhere}, nil,
		},
		"one completes in another release": {
			[]v1alpha1.PhaseStatus{complete}, []v1alpha1.PhaseStatus{again}, []v1alpha1.PhaseStatus{again},
		},
		"one without a beginning is left out": {
			nil, []v1alpha1.PhaseStatus{{Name: "crds", CompletionTime: &end}}, nil,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, after := &v1alpha1.ClusterBundle{}, &v1alpha1.ClusterBundle{}
			before.Status.Phases, after.Status.Phases = test.givenBefore, test.givenAfter
			if diff := cmp.Diff(test.want, completed(after, before)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			recorder := events.NewFakeRecorder(2)
			(&Reconciler{Status: status.NewWriter(nil, recorder, clock.RealClock{})}).reportPhases(after, before)
			observePhases(after, before)
			if got := len(recorder.Events); got != len(test.want) {
				t.Errorf("want %d events, got %d", len(test.want), got)
			}
		})
	}
}

func TestWhatIsReadyStaysReadyWhileItsSourcesAreAskedForAgain(t *testing.T) {
	t.Parallel()
	fetching := findings{err: fault.Wait(v1alpha1.FetchingReason, 0, fmt.Errorf("a tag %w", library.ErrFetching))}
	tests := map[string]struct {
		givenGeneration int64
		givenFound      findings
		want            string
	}{
		"a source is being resolved": {1, fetching, "True Ready"},
		"the spec has changed":       {2, fetching, "False Fetching: a tag is being fetched"},
		"something else is found": {
			1, findings{err: fault.Wait(v1alpha1.ClusterNotConnectedReason, 0, errors.New("not connected"))},
			"False ClusterNotConnected: not connected",
		},
		"the connection is lost": {
			1, findings{err: fault.Wait(v1alpha1.ClusterNotConnectedReason, 0, workload.ErrNotConnected)},
			"False ClusterNotConnected: " + workload.ErrNotConnected.Error(),
		},
		"a manager that has just started is not connected yet": {
			1, findings{err: fault.Wait(v1alpha1.ClusterNotConnectedReason, 0, workload.ErrNotConnected), starting: true},
			"True Ready",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cb := &v1alpha1.ClusterBundle{ObjectMeta: metav1.ObjectMeta{Generation: 1}}
			setStatus(cb, findings{passed: passedUntil(2)})
			cb.Generation = tc.givenGeneration
			setStatus(cb, tc.givenFound)
			if got := statuses(cb)[v1alpha1.ReadyCondition]; got != tc.want {
				t.Errorf("want %q, got %q", tc.want, got)
			}
		})
	}
}
