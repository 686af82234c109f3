package app

import (
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestBackOffNeverGrowsBeyondTwoMinutes(t *testing.T) {
	t.Parallel()
	limiter := options[reconcile.Request](1).RateLimiter
	item := reconcile.Request{}
	var last time.Duration
	for range 50 {
		last = limiter.When(item)
	}
	if last != 2*time.Minute {
		t.Errorf("want two minutes after many failures, got %s", last)
	}
}
