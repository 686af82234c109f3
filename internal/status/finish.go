package status

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	// StaleRetry is when to read an object again that is older in the cache than
	// its last write.
	StaleRetry = 100 * time.Millisecond

	// maxStale bounds how long a cache may be behind. After that the object counts
	// as it is: the management cluster may have been restored from a backup, which
	// takes resource versions back.
	maxStale = 30 * time.Second
)

// Writer ends the reconciles of one kind of objects.
type Writer struct {
	client   client.StatusClient
	recorder events.EventRecorder
	clock    clock.PassiveClock

	mu      sync.Mutex
	written map[types.NamespacedName]write
}

// write is the last write of the status of an object that the cache has not shown yet.
type write struct {
	resourceVersion string
	at              time.Time
}

// Read reads an object that is to be reconciled from the cache. It reports whether
// there is anything to do; if not, result and err are those of the reconcile. There
// is nothing to do with an object that is gone or being deleted. One that is older
// in the cache than its last write is read again a moment later.
func (w *Writer) Read(
	ctx context.Context, cache client.Reader, key types.NamespacedName, object Object,
) (found bool, result reconcile.Result, err error) {
	if err := cache.Get(ctx, key, object); err != nil {
		if apierrors.IsNotFound(err) {
			w.Forget(key)
		}
		return false, reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if w.IsStale(object) {
		return false, reconcile.Result{RequeueAfter: StaleRetry}, nil
	}
	return object.GetDeletionTimestamp().IsZero(), reconcile.Result{}, nil
}

// NewWriter returns a Writer that writes statuses with the client, whose reads
// come from a cache, and records events with the recorder.
func NewWriter(c client.StatusClient, recorder events.EventRecorder, clock clock.PassiveClock) *Writer {
	return &Writer{client: c, recorder: recorder, clock: clock, written: make(map[types.NamespacedName]write)}
}

// IsStale reports whether an object, as it was read from the cache, is older than
// what the Writer wrote last. Its status must not be compared with: what looks
// unchanged may differ from what is stored.
func (w *Writer) IsStale(object Object) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := client.ObjectKeyFromObject(object)
	last, ok := w.written[key]
	if !ok {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(object.GetResourceVersion(), last.resourceVersion)
	if err == nil && order < 0 && w.clock.Since(last.at) < maxStale {
		return true
	}
	delete(w.written, key)
	return false
}

// Forget drops what is kept of an object that is gone.
func (w *Writer) Forget(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.written, key)
}

// Finish ends a reconcile whose result is found, nil when all is well. It writes
// the status of object where it differs from that of before, the copy from when
// the reconcile began, records an event if Ready went over to another status or
// reason, calls the reports, and returns when to reconcile again. When the status
// cannot be written, nothing is reported: the next reconcile finds the same. An
// object that is gone meanwhile is no error.
func (w *Writer) Finish(
	ctx context.Context, object, before Object, found error, reports ...func(),
) (reconcile.Result, error) {
	if !equality.Semantic.DeepEqual(before, object) {
		if err := w.client.Status().Patch(ctx, object, client.MergeFrom(before)); err != nil {
			return reconcile.Result{}, client.IgnoreNotFound(err)
		}
		w.remember(object)
		w.recordTransition(object, before, found)
		for _, report := range reports {
			report()
		}
	}
	return Result(found)
}

// remember keeps the resource version that a write gave an object.
func (w *Writer) remember(object Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.written[client.ObjectKeyFromObject(object)] = write{
		resourceVersion: object.GetResourceVersion(), at: w.clock.Now(),
	}
}
