package status_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

// having returns a Bundle with one condition, or none of an empty type.
func having(kind string, status metav1.ConditionStatus, reason, message string) *v1alpha1.Bundle {
	bundle := &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "calico"}}
	if kind != "" {
		bundle.Status.Conditions = []metav1.Condition{{Type: kind, Status: status, Reason: reason, Message: message}}
	}
	return bundle
}

func TestEventsAreOnTransitionsOnly(t *testing.T) {
	t.Parallel()
	const yes, no = metav1.ConditionTrue, metav1.ConditionFalse
	err := errors.New("cause")
	none := having("", yes, "", "")
	tests := map[string]struct {
		givenBefore, givenAfter *v1alpha1.Bundle
		givenErr                error
		want                    []string
	}{
		"the first time": {
			givenBefore: none, givenAfter: having("Ready", yes, "Ready", "3 releases"),
			want: []string{"Normal Ready 3 releases"},
		},
		"another status": {
			givenBefore: having("Ready", no, "Fetching", ""), givenAfter: having("Ready", yes, "Ready", ""),
			want: []string{"Normal Ready Ready"},
		},
		"waiting is normal": {
			givenBefore: none, givenAfter: having("Ready", no, "Fetching", "soon"), givenErr: fault.Wait("Fetching", 0, err),
			want: []string{"Normal Fetching soon"},
		},
		"another reason": {
			givenBefore: having("Ready", no, "Fetching", "soon"),
			givenAfter:  having("Ready", no, "DigestMismatch", "other bytes"),
			givenErr:    fault.Stall("DigestMismatch", err), want: []string{"Warning DigestMismatch other bytes"},
		},
		"an error of no class is a warning": {
			givenBefore: none, givenAfter: having("Ready", no, "InternalError", "100% broken"), givenErr: err,
			want: []string{"Warning InternalError 100% broken"},
		},
		"another message is no transition": {
			givenBefore: having("Ready", no, "Fetching", "3 left"), givenAfter: having("Ready", no, "Fetching", "2 left"),
			givenErr: fault.Wait("Fetching", 0, err),
		},
		"nothing new is no transition": {
			givenBefore: having("Ready", yes, "Ready", ""), givenAfter: having("Ready", yes, "Ready", ""),
		},
		"another condition is no transition": {
			givenBefore: having("Applied", no, "Progressing", ""), givenAfter: having("Applied", yes, "Applied", ""),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorder := events.NewFakeRecorder(2)
			finish(t, recorder, test.givenBefore, test.givenAfter, test.givenErr)
			close(recorder.Events)
			var got []string
			for recorded := range recorder.Events {
				got = append(got, recorded)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// sink is where a broadcaster writes events to. It sends what was written.
type sink chan string

// Create writes a new event.
func (s sink) Create(_ context.Context, event *eventsv1.Event) (*eventsv1.Event, error) {
	s <- "new: " + event.Note
	return event, nil
}

// Update is not called.
func (s sink) Update(context.Context, *eventsv1.Event) (*eventsv1.Event, error) {
	return nil, errors.New("nobody updates events")
}

// Patch counts an event once more.
func (s sink) Patch(_ context.Context, event *eventsv1.Event, _ []byte) (*eventsv1.Event, error) {
	s <- "again: " + event.Note
	return event, nil
}

func TestEventsWithOtherMessagesAreNotCountedAsOne(t *testing.T) {
	t.Parallel()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	written := make(sink, 4)
	broadcaster := events.NewBroadcaster(written)
	if err := broadcaster.StartRecordingToSinkWithContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broadcaster.Shutdown)
	writer := status.NewWriter(nil, broadcaster.NewRecorder(scheme, "caapb"), clock.RealClock{})
	bundle := having("", metav1.ConditionTrue, "", "")
	for _, of := range []string{"one", "other"} {
		writer.Event(bundle, "Repaired", "repaired: %s", of)
	}
	got := []string{<-written, <-written}
	slices.Sort(got) // each is written in a goroutine of its own
	if diff := cmp.Diff([]string{"new: repaired: one", "new: repaired: other"}, got); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
}
