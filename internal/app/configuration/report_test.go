package configuration

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// TestThePodAndTheMetricsSayWhetherTheFileHolds is one test, since the metrics are those of
// the process.
func TestThePodAndTheMetricsSayWhetherTheFileHolds(t *testing.T) {
	t.Parallel()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "caapb-system", Name: "manager", UID: "1"}}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	management := fake.NewClientBuilder().WithObjects(pod).WithStatusSubresource(pod).Build()
	recorder := events.NewFakeRecorder(10)
	now := time.Unix(1000, 0)
	r := &Reporter{
		Pod:    corev1.ObjectReference{Namespace: "caapb-system", Name: "manager", UID: "1"},
		Client: management, Events: recorder, Now: func() time.Time { return now },
	}
	for _, step := range []struct {
		problem                error
		status                 corev1.ConditionStatus
		text, event            string
		wantValid, wantLoading float64
	}{
		{nil, corev1.ConditionTrue, "the file holds", "", 1, 1000},
		{errors.New("limits: a\nb"), corev1.ConditionFalse, "the one before still holds: limits: a b", "Warning ConfigurationInvalid", 0, 1000},
		{nil, corev1.ConditionTrue, "the file holds", "Normal ConfigurationValid", 1, 3000},
	} {
		if err := r.Report(t.Context(), step.problem); err != nil {
			t.Fatal(err)
		}
		now = now.Add(1000 * time.Second)
		got := &corev1.Pod{}
		if err := management.Get(t.Context(), client.ObjectKeyFromObject(pod), got); err != nil {
			t.Fatal(err)
		}
		if len(got.Status.Conditions) != 2 {
			t.Errorf("want its other conditions to stay, got %+v", got.Status.Conditions)
		}
		for _, c := range got.Status.Conditions {
			if c.Type == ConditionType && (c.Status != step.status || c.Message != step.text) {
				t.Errorf("want %s with %q, got %+v", step.status, step.text, c)
			}
		}
		if valid, at := testutil.ToFloat64(validity), testutil.ToFloat64(loaded); valid != step.wantValid || at != step.wantLoading {
			t.Errorf("want valid %v, loaded %v, got %v, %v", step.wantValid, step.wantLoading, valid, at)
		}
		event := ""
		if len(recorder.Events) > 0 {
			event = <-recorder.Events
		}
		if !strings.HasPrefix(event, step.event) || (event == "") != (step.event == "") {
			t.Errorf("want the event %q, got %q", step.event, event)
		}
	}
	r.Client = fake.NewClientBuilder().Build()
	if err := r.Report(t.Context(), nil); err == nil {
		t.Error("want an error where there is no such Pod")
	}
	r.Pod.Name = ""
	if err := r.Report(context.Background(), nil); err != nil {
		t.Errorf("want nothing written outside a Pod, got %v", err)
	}
}
