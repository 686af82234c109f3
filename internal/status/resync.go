package status

import (
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// resyncJitter spreads resyncs, so that what began together does not stay so.
const resyncJitter = 0.5

// Resync returns the result of a reconcile with a time to look again, of period to
// 1.5 times period, if it has none: no watch shows everything, and one may fail.
// With a period of 0 there is no such time. The error is returned as it is.
func Resync(result reconcile.Result, err error, period time.Duration) (reconcile.Result, error) {
	if err == nil && result.IsZero() {
		result.RequeueAfter = wait.Jitter(period, resyncJitter)
	}
	return result, err
}
