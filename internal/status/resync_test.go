package status_test

import (
	"errors"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

func TestResync(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	tests := map[string]struct {
		givenResult      reconcile.Result
		givenErr         error
		givenPeriod      time.Duration
		wantMin, wantMax time.Duration
	}{
		"nothing to come back for":  {givenPeriod: 10 * time.Minute, wantMin: 10 * time.Minute, wantMax: 15 * time.Minute},
		"a time of its own is kept": {reconcile.Result{RequeueAfter: time.Hour}, nil, time.Minute, time.Hour, time.Hour},
		"an error backs off":        {reconcile.Result{}, broken, time.Minute, 0, 0},
		"no period":                 {},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := make(map[time.Duration]bool)
			for range 100 {
				got, err := status.Resync(tc.givenResult, tc.givenErr, tc.givenPeriod)
				if !errors.Is(err, tc.givenErr) || got.RequeueAfter < tc.wantMin || got.RequeueAfter > tc.wantMax {
					t.Fatalf("want %v to %v and %v, got %v and %v",
						tc.wantMin, tc.wantMax, tc.givenErr, got.RequeueAfter, err)
				}
				seen[got.RequeueAfter] = true
			}
			if spread := tc.wantMax > tc.wantMin; spread != (len(seen) > 1) {
				t.Errorf("want different times: %t, got %d", spread, len(seen))
			}
		})
	}
}
