package workload

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestAWatchThatIsRefusedSaysWhy(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given int
		want  func(error) bool
	}{
		"gone":                     {http.StatusGone, apierrors.IsGone},
		"forbidden":                {http.StatusForbidden, apierrors.IsForbidden},
		"too many requests":        {http.StatusTooManyRequests, apierrors.IsTooManyRequests},
		"too large a revision":     {http.StatusGatewayTimeout, apierrors.IsTimeout},
		"the server is not ready":  {http.StatusServiceUnavailable, apierrors.IsServiceUnavailable},
		"an option it cannot take": {http.StatusUnprocessableEntity, apierrors.IsInvalid},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests++
				w.Header().Set("Retry-After", "1")
				http.Error(w, "no", tc.given)
			}))
			t.Cleanup(server.Close)
			c := newClient(t, &rest.Config{Host: server.URL})
			if _, err := openWatch(t.Context(), c, membersTarget(t), "7", time.Minute); !tc.want(err) {
				t.Errorf("want the error of HTTP %d, got %v", tc.given, err)
			}
			if requests != 1 {
				t.Errorf("want one request and no retry within, got %d", requests)
			}
		})
	}
}

func TestARealServerTellsWhatItDoesNotServe(t *testing.T) {
	t.Parallel()
	c := newClient(t, testenv.SharedWorkload(t).Config)
	_, err := openWatch(t.Context(), c, rollout.Target{Resource: bookshop}, "", time.Minute)
	if !kindNotServed(err) {
		t.Errorf("want a kind that is not served, got %v", err)
	}
}

// TestAWatchOfOneAPIServerEndsInTime is about how a server ends a watch: cleanly.
func TestAWatchOfOneAPIServerEndsInTime(t *testing.T) {
	t.Parallel()
	c := newClient(t, testenv.SharedWorkload(t).Config)
	resource := manifest.Resource{Version: "v1", Plural: "podtemplates", Namespaced: true}
	events, err := openWatch(t.Context(), c, rollout.Target{Resource: resource}, "", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer events.close()
	if got, err := events.next(); err != io.EOF { //nolint:errorlint // exactly this one
		t.Errorf("want no event and a clean end, got %+v, %v", got, err)
	}
}
