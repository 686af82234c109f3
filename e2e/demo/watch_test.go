package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// state returns a ClusterBundle with that reason of its Ready condition.
func state(reason, message string, phases ...v1alpha1.PhaseStatus) *v1alpha1.ClusterBundle {
	status := metav1.ConditionFalse
	if reason == v1alpha1.ReadyReason {
		status = metav1.ConditionTrue
	}
	return &v1alpha1.ClusterBundle{Status: v1alpha1.ClusterBundleStatus{
		Phases:     phases,
		Conditions: []metav1.Condition{{Type: v1alpha1.ReadyCondition, Status: status, Reason: reason, Message: message}},
	}}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	pending := v1alpha1.PhaseStatus{Name: "operator", State: v1alpha1.PendingPhaseState, Objects: 7}
	waiting := v1alpha1.PhaseStatus{
		Name: "crds", State: v1alpha1.WaitingPhaseState, Objects: 32, Ready: 12,
		Message: "phase crds: 20 of 32 are not served",
	}
	further := waiting
	further.Ready = 20
	done := v1alpha1.PhaseStatus{Name: "crds", State: v1alpha1.ReadyPhaseState, Objects: 32, Ready: 32}
	const waitingLine = "berlin   crds       Waiting  12/32 ready    1.2 kB sent  20 of 32 are not served"
	tests := map[string]struct {
		given []*v1alpha1.ClusterBundle
		want  []string // after the last of given
	}{
		"without a status there is nothing to show": {
			given: []*v1alpha1.ClusterBundle{{}},
		},
		"without phases the reason is shown": {
			given: []*v1alpha1.ClusterBundle{state(v1alpha1.VersionNotChosenReason, "wait")},
			want:  []string{"berlin   Ready=False VersionNotChosen  wait"},
		},
		"a phase that has not begun is not shown": {
			given: []*v1alpha1.ClusterBundle{state(v1alpha1.CRDsNotServedReason, "wait", waiting, pending)},
			want:  []string{waitingLine},
		},
		"what stays as it is is not shown again": {
			given: []*v1alpha1.ClusterBundle{
				state(v1alpha1.CRDsNotServedReason, "wait", waiting), state(v1alpha1.CRDsNotServedReason, "wait", waiting),
			},
		},
		"one more object is a change": {
			given: []*v1alpha1.ClusterBundle{
				state(v1alpha1.CRDsNotServedReason, "wait", waiting), state(v1alpha1.CRDsNotServedReason, "wait", further),
			},
			want: []string{strings.Replace(waitingLine, "12/32", "20/32", 1)},
		},
		"a line ends where its text does": {
			given: []*v1alpha1.ClusterBundle{state(v1alpha1.ReadyReason, "", done)},
			want:  []string{"berlin   crds       Ready    32/32 ready    1.2 kB sent", "berlin   Ready=True Ready"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &view{cluster: "berlin", seen: map[string]v1alpha1.PhaseStatus{}}
			var got []string
			for _, b := range tc.given {
				got = v.changes(b, 1234)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestShortened(t *testing.T) {
	t.Parallel()
	fits := strings.Repeat("ü", messageWidth)
	if got := shortened(fits); got != fits {
		t.Errorf("what fits was changed to %q", got)
	}
	got := shortened(fits + "x")
	if utf8.RuneCountInString(got) != messageWidth || !strings.HasSuffix(got, "ü…") {
		t.Errorf("want %d characters that end with …, got %q", messageWidth, got)
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given []metav1.Condition
		want  string // part of the error; empty: none
	}{
		"no condition":     {nil, "has no status yet"},
		"a False one":      {state("Fetching", "one of two").Status.Conditions, "Fetching: one of two"},
		"a True one":       {state(v1alpha1.ReadyReason, "").Status.Conditions, ""},
		"one of two types": {[]metav1.Condition{{Type: "Applied", Status: "True"}}, "has no status yet"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := readiness(tc.given)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || err.Error() != tc.want) {
				t.Errorf("want %q, got %v", tc.want, err)
			}
		})
	}
}
