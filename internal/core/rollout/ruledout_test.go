package rollout

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

func TestWhatIsRuledOutIsClaimedOnlyWhenItIsInTheWay(t *testing.T) {
	t.Parallel()
	invalid := fault.Retry(v1alpha1.ObjectInvalidReason, errors.New("HTTP 422"))
	lost := fault.Retry(v1alpha1.ApplyFailedReason, errors.New("HTTP 503"))
	recreate := "spec: {strategy: {type: Recreate}}\n"
	tests := map[string]struct {
		givenSpec string
		givenErr  error // of the first apply
		want      []string
	}{
		"not when the object is accepted": {givenSpec: recreate, want: []string{"metadata", "apply"}},
		"when it is refused":              {recreate, invalid, []string{"metadata", "apply", "metadata", "move", "apply"}},
		"not when the server is away":     {recreate, lost, []string{"metadata", "apply"}},
		"not when nothing is ruled out":   {"spec: {replicas: 2}\n", invalid, []string{"metadata", "apply"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			deployment := object("apps/v1", "Deployment", "operator", "operator")
			one := releaseOf(t, "one", written{name: "all", documents: []string{deployment}})
			converge(t, rolloutOf(cluster, one))
			failed := false
			cluster.fail = func(_ int, c call) (error, bool) {
				if c != (call{"apply", operatorPath}) || failed {
					return nil, true
				}
				failed = true
				return test.givenErr, test.givenErr == nil
			}
			cluster.takeAll()
			two := releaseOf(t, "two", written{name: "all", documents: []string{deployment + test.givenSpec}})
			rolloutOf(cluster, two).Run(t.Context())
			var got []string
			for _, c := range cluster.calls {
				if c.path == operatorPath && c.verb != "object" {
					got = append(got, c.verb)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}
