package bundle

import (
	"context"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
)

// labelAgain is when an object gets its label back that somebody else removed: who
// removes it again and again is answered with no more than a write a minute.
const labelAgain = time.Minute

// namedQueue is the queue of MoveLabels.
type namedQueue = workqueue.TypedRateLimitingInterface[Named]

// bundleEvents leads from a Bundle to what it names, or named before. While clusterctl
// deletes a Bundle that it has moved, what that names is on its way, too.
func bundleEvents() handler.TypedEventHandler[client.Object, Named] {
	add := func(q namedQueue, bundle client.Object) {
		for _, named := range bundleReferences(bundle) {
			kind, name, _ := strings.Cut(named, "/")
			q.Add(Named{kind, bundle.GetNamespace(), name})
		}
	}
	return handler.TypedFuncs[client.Object, Named]{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q namedQueue) { add(q, e.Object) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q namedQueue) {
			if e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() {
				add(q, e.ObjectOld)
				add(q, e.ObjectNew)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q namedQueue) {
			if !capi.IsMovedAway(e.Object) {
				add(q, e.Object)
			}
		},
	}
}

type (
	metadataCreated = event.TypedCreateEvent[*metav1.PartialObjectMetadata]
	metadataUpdated = event.TypedUpdateEvent[*metav1.PartialObjectMetadata]
)

// objectEvents leads to the objects of a kind that appear without a label and that a
// Bundle names, or that lost their label. Those that appear with a label of ours are
// looked at when the manager starts, and not later: clusterctl may create them before the
// Bundle.
func objectEvents(
	bundles client.Reader, kind string, filter capi.Filter,
) handler.TypedEventHandler[*metav1.PartialObjectMetadata, Named] {
	item := func(o *metav1.PartialObjectMetadata) Named { return Named{kind, o.Namespace, o.Name} }
	return handler.TypedFuncs[*metav1.PartialObjectMetadata, Named]{
		CreateFunc: func(ctx context.Context, e metadataCreated, q namedQueue) {
			has, ours := capi.HasMoveLabel(e.Object)
			if ours && e.IsInInitialList || !has && isNamed(ctx, bundles, item(e.Object), filter) {
				q.Add(item(e.Object))
			}
		},
		UpdateFunc: func(_ context.Context, e metadataUpdated, q namedQueue) {
			had, _ := capi.HasMoveLabel(e.ObjectOld)
			if has, _ := capi.HasMoveLabel(e.ObjectNew); had && !has {
				q.AddAfter(item(e.ObjectNew), labelAgain)
			}
		},
	}
}

// isNamed reports whether a Bundle of the manager with the filter names an object.
func isNamed(ctx context.Context, reader client.Reader, named Named, filter capi.Filter) bool {
	bundles, err := bundlesReferencing(ctx, reader, named.Namespace, reference(named.Kind, named.Name))
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing Bundles", "reference", reference(named.Kind, named.Name))
	}
	return slices.ContainsFunc(bundles, func(b v1alpha1.Bundle) bool {
		return filter.Has(&b)
	})
}
