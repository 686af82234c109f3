package readiness_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/readiness"
)

func TestStandardConditions(t *testing.T) {
	t.Parallel()
	const title = "Logging calico-system/default"
	tests := map[string]struct {
		given       string
		want        state
		wantMessage string
	}{
		"an object that nobody has seen": {
			given: "spec: {}", want: isWaiting, wantMessage: title + " has neither the condition Ready nor Available",
		},
		"one that is ready": {
			given: "status: {conditions: [{type: Ready, status: 'True'}]}", want: isReady, wantMessage: title + " is Ready",
		},
		"one that is available and has no Ready": {
			given: "status: {conditions: [{type: Available, status: 'True'}]}", want: isReady, wantMessage: title + " is Available",
		},
		"one that is available and not ready": {
			given: "status: {conditions: [{type: Available, status: 'True'}, {type: Ready, status: 'False', reason: Waiting, message: no nodes}]}",
			want:  isWaiting, wantMessage: title + " is not Ready: Waiting: no nodes",
		},
		"one whose readiness is unknown": {
			given: "status: {conditions: [{type: Ready, status: Unknown}]}", want: isWaiting,
			wantMessage: title + " is not Ready: no reason is given",
		},
		"one whose status is about an older generation": {
			given: "status: {observedGeneration: 1, conditions: [{type: Ready, status: 'True'}]}", want: isWaiting,
			wantMessage: title + ": not observed by its controller yet",
		},
		"one whose condition is about an older generation": {
			given: "status: {conditions: [{type: Ready, status: 'True', observedGeneration: 1}]}", want: isWaiting,
			wantMessage: title + ": not observed by its controller yet",
		},
		"one whose condition is about this generation": {
			given: "status: {conditions: [{type: Ready, status: 'True', observedGeneration: 2}]}", want: isReady,
			wantMessage: title + " is Ready",
		},
		"one that is stalled": {
			given: "status: {conditions: [{type: Ready, status: 'False'}, {type: Stalled, status: 'True', reason: BadSpec}]}",
			want:  isFailed, wantMessage: title + ": BadSpec",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := readiness.Of(parsed(t, head("logging.banzaicloud.io/v1beta1", "Logging", "default")+test.given))
			if stateOf(got) != test.want || got.Message != test.wantMessage {
				t.Errorf("%+v, want state %d and %q", got, test.want, test.wantMessage)
			}
		})
	}
}

func TestAnAPIServiceIsReadyWhenItIsAvailable(t *testing.T) {
	t.Parallel()
	const document = "apiVersion: apiregistration.k8s.io/v1\nkind: APIService\nmetadata: {name: v1.metrics.k8s.io}\n"
	got := readiness.Of(parsed(t, document+"status: {conditions: "+
		"[{type: Available, status: 'False', reason: MissingEndpoints, message: no one answers}]}"))
	want := readiness.Finding{
		Reason:  v1alpha1.WorkloadsNotReadyReason,
		Message: "APIService v1.metrics.k8s.io is not Available: MissingEndpoints: no one answers",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("finding (-want +got):\n%s", diff)
	}
	if got := readiness.Of(parsed(t, document+"status: {conditions: [{type: Available, status: 'True'}]}")); !got.Ready {
		t.Errorf("want it ready, got %+v", got)
	}
}

func TestWhatIsBuiltInIsReadyByItsKind(t *testing.T) {
	t.Parallel()
	given := parsed(t, head("apps/v1", "DaemonSet", "node")+"status: {conditions: [{type: Ready, status: 'True'}]}")
	if got := readiness.Of(given); got.Ready {
		t.Errorf("want it not observed, got %+v", got)
	}
}
