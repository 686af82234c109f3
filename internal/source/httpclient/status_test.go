package httpclient

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestWhatAStatusMeans(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		givenStatus int
		givenHeader string
		wantClass   fault.Class
		wantReason  string
		wantAfter   time.Duration
	}{
		"not found":             {404, "5", fault.ClassRetry, v1alpha1.FetchFailedReason, 0},
		"an internal error":     {500, "5", fault.ClassRetry, v1alpha1.FetchFailedReason, 0},
		"too many requests":     {429, "7", fault.ClassWait, v1alpha1.ThrottledReason, 7 * time.Second},
		"unavailable":           {503, "7", fault.ClassWait, v1alpha1.ThrottledReason, 7 * time.Second},
		"without a time":        {429, "", fault.ClassWait, v1alpha1.ThrottledReason, 30 * time.Second},
		"a time that is none":   {429, "soon", fault.ClassWait, v1alpha1.ThrottledReason, 30 * time.Second},
		"no time at all":        {429, "0", fault.ClassWait, v1alpha1.ThrottledReason, time.Second},
		"less than none":        {429, "-9223372036854775808", fault.ClassWait, v1alpha1.ThrottledReason, time.Second},
		"a day":                 {429, "86400", fault.ClassWait, v1alpha1.ThrottledReason, 10 * time.Minute},
		"more than fits":        {429, "9223372036854775807", fault.ClassWait, v1alpha1.ThrottledReason, 10 * time.Minute},
		"a date":                {503, "Sun, 01 Mar 2026 12:01:30 GMT", fault.ClassWait, v1alpha1.ThrottledReason, 90 * time.Second},
		"a date that is past":   {503, "Sun, 01 Mar 2026 11:00:00 GMT", fault.ClassWait, v1alpha1.ThrottledReason, time.Second},
		"a date that is far":    {503, "Mon, 01 Mar 2027 12:00:00 GMT", fault.ClassWait, v1alpha1.ThrottledReason, 10 * time.Minute},
		"a number that is huge": {503, "99999999999999999999", fault.ClassWait, v1alpha1.ThrottledReason, 30 * time.Second},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp := &http.Response{StatusCode: tc.givenStatus, Header: http.Header{"Retry-After": {tc.givenHeader}}}
			refused := errors.New("refused")
			err := StatusError(resp, now, refused)
			faulttest.WantMessage(t, err, tc.wantClass, tc.wantReason, "refused")
			if got := fault.AfterOf(err); got != tc.wantAfter {
				t.Errorf("want it tried again after %v, got %v", tc.wantAfter, got)
			}
			if !errors.Is(err, refused) {
				t.Errorf("want the error that was given inside, got %v", err)
			}
		})
	}
}

func TestStatusText(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{404: "404 Not Found", 503: "503 Service Unavailable", 599: "599 (unknown)"} {
		if got := StatusText(code); got != want {
			t.Errorf("want %q, got %q", want, got)
		}
	}
}
