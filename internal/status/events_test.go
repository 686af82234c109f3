package status_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
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
