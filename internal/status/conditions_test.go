package status_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

var errBroken = errors.New("it broke")

// TestTable holds the table of the package's documentation.
func TestTable(t *testing.T) {
	t.Parallel()
	condition := func(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: 7}
	}
	progressing := condition("Stalled", metav1.ConditionFalse, "Progressing", "")
	tests := map[string]struct {
		given       error
		wantReady   metav1.Condition
		wantStalled metav1.Condition
		wantResult  reconcile.Result
		wantErr     error
	}{
		"no error is ready, and watches wake us": {
			given:       nil,
			wantReady:   condition("Ready", metav1.ConditionTrue, "Ready", "all is well"),
			wantStalled: condition("Stalled", metav1.ConditionFalse, "Ready", ""),
		},
		"waiting with a time": {
			given:       fault.Wait("Soon", time.Second, errBroken),
			wantReady:   condition("Ready", metav1.ConditionFalse, "Soon", "it broke"),
			wantStalled: progressing,
			wantResult:  reconcile.Result{RequeueAfter: time.Second},
		},
		"waiting for a watch": {
			given:       fault.Wrap("phase crds", fault.Wait("Soon", 0, errBroken)),
			wantReady:   condition("Ready", metav1.ConditionFalse, "Soon", "phase crds: it broke"),
			wantStalled: progressing,
		},
		"a terminal error is tried slowly": {
			given:       fault.Stall("Bad", errBroken),
			wantReady:   condition("Ready", metav1.ConditionFalse, "Bad", "it broke"),
			wantStalled: condition("Stalled", metav1.ConditionTrue, "Bad", "it broke"),
			wantResult:  reconcile.Result{RequeueAfter: 10 * time.Minute},
		},
		"a terminal error beside waiting": {
			given:       fault.Join(fault.Stall("Bad", errBroken), fault.Wait("Soon", time.Second, errBroken)),
			wantReady:   condition("Ready", metav1.ConditionFalse, "Bad", "it broke; it broke"),
			wantStalled: condition("Stalled", metav1.ConditionTrue, "Bad", "it broke; it broke"),
			wantResult:  reconcile.Result{RequeueAfter: 10 * time.Minute},
		},
		"a failure backs off": {
			given:       fault.Retry("Broken", errBroken),
			wantReady:   condition("Ready", metav1.ConditionFalse, "Broken", "it broke"),
			wantStalled: progressing,
			wantErr:     errBroken,
		},
		"a failure beside waiting": {
			given:       fault.Join(fault.Retry("Broken", errBroken), fault.Wait("Soon", time.Second, errBroken)),
			wantReady:   condition("Ready", metav1.ConditionFalse, "Broken", "it broke; it broke"),
			wantStalled: progressing,
			wantErr:     errBroken,
		},
		"an error of no class backs off and has a reason": {
			given:       errBroken,
			wantReady:   condition("Ready", metav1.ConditionFalse, "InternalError", "it broke"),
			wantStalled: progressing,
			wantErr:     errBroken,
		},
		"joined errors of no class have a reason": {
			given:       fault.Join(errBroken, errBroken),
			wantReady:   condition("Ready", metav1.ConditionFalse, "InternalError", "it broke; it broke"),
			wantStalled: progressing,
			wantErr:     errBroken,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			object := &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Generation: 7}}
			status.SetReady(object, test.given, "all is well")
			want := []metav1.Condition{test.wantReady, test.wantStalled}
			ignore := cmpopts.IgnoreFields(metav1.Condition{}, "LastTransitionTime")
			if diff := cmp.Diff(want, object.GetConditions(), ignore); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			result, err := status.Result(test.given)
			if result != test.wantResult || !errors.Is(err, test.wantErr) {
				t.Errorf("want %+v, %v, got %+v, %v", test.wantResult, test.wantErr, result, err)
			}
		})
	}
}

func TestTimeOfAConditionChangesWithItsStatusOnly(t *testing.T) {
	t.Parallel()
	long := metav1.NewTime(time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC))
	tests := map[string]struct {
		givenStatus  bool
		givenReason  string
		givenMessage string
		wantNewTime  bool
	}{
		"nothing new":    {true, "Ready", "three", false},
		"another reason": {true, "Fine", "three", false},
		"another text":   {true, "Ready", "four", false},
		"another status": {false, "Ready", "three", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			object := &v1alpha1.ClusterBundle{ObjectMeta: metav1.ObjectMeta{Generation: 2}}
			other := metav1.Condition{
				Type: "Other", Status: metav1.ConditionTrue, LastTransitionTime: long, ObservedGeneration: 1,
			}
			object.Status.Conditions = []metav1.Condition{other, {
				Type: "Ready", Status: metav1.ConditionTrue, Reason: "Ready", Message: "three",
				LastTransitionTime: long, ObservedGeneration: 1,
			}}
			status.SetCondition(object, "Ready", test.givenStatus, test.givenReason, test.givenMessage)
			if diff := cmp.Diff(other, object.Status.Conditions[0]); diff != "" {
				t.Errorf("the other condition (-want +got):\n%s", diff)
			}
			got := object.Status.Conditions[1]
			if got.LastTransitionTime.Equal(&long) == test.wantNewTime {
				t.Errorf("want a new time: %t, got %s", test.wantNewTime, got.LastTransitionTime)
			}
			if got.ObservedGeneration != 2 || got.Reason != test.givenReason || got.Message != test.givenMessage {
				t.Errorf("want generation 2, %q and %q, got %+v", test.givenReason, test.givenMessage, got)
			}
		})
	}
}

func TestMessage(t *testing.T) {
	t.Parallel()
	const most = 1024
	tests := map[string]struct{ given, want string }{
		"an empty text":                          {"", ""},
		"a short text":                           {"phase crds: ö", "phase crds: ö"},
		"several lines":                          {" a\n\tb\r\n  c ", "a b c"},
		"as much as there may be":                {strings.Repeat("x", most), strings.Repeat("x", most)},
		"one byte more":                          {strings.Repeat("x", most+1), strings.Repeat("x", most-3) + "…"},
		"a cut between characters of two bytes":  {strings.Repeat("ö", most), strings.Repeat("ö", (most-3)/2) + "…"},
		"a cut between characters of four bytes": {strings.Repeat("🦆", most), strings.Repeat("🦆", (most-3)/4) + "…"},
		"what is not UTF-8 is replaced":          {"a\xffb", "a\uFFFDb"},
		"what is not UTF-8 in a long text": {
			"\xff" + strings.Repeat("x", most), "\uFFFD" + strings.Repeat("x", most-6) + "…",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := status.Message(test.given)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(got) > most || !utf8.ValidString(got) || status.Message(got) != got {
				t.Errorf("%q is too long, not UTF-8 or not stable", got)
			}
		})
	}
}

func TestConditionHoldsAMessageThatFits(t *testing.T) {
	t.Parallel()
	object := &v1alpha1.ClusterBundleSet{}
	status.SetReady(object, fault.Stall("Bad", errors.New(strings.Repeat("line\n", 1000))), "")
	for _, c := range object.Status.Conditions {
		if len(c.Message) > 1024 || strings.Contains(c.Message, "\n") || !strings.HasPrefix(c.Message, "line line") {
			t.Errorf("%s: want one line of at most 1 KiB, got %q", c.Type, c.Message)
		}
	}
}
