package app

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/controllers/bundle"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/controllers/cluster"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/controllers/clusterbundle"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/controllers/clusterbundleset"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/controllers/placement"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/trigger"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

const (
	// applyBudget bounds the bytes of objects that are in memory on their way to
	// workload clusters, over all of them.
	applyBudget = 64 << 20

	// passTimeout bounds one pass over one workload cluster, which may answer each
	// request just in time. What it did not get done the next one does.
	passTimeout = 2 * time.Minute

	// minBackOff and maxBackOff bound the time until an item that failed is tried
	// again: it doubles with each failure. Where no watch reports that the cause is
	// gone, it is at most two minutes.
	minBackOff = 100 * time.Millisecond
	maxBackOff = 2 * time.Minute
)

// wiring holds what the controllers share.
type wiring struct {
	mgr         ctrl.Manager
	opts        Options
	library     *library.Library
	connections *workload.Connections
	bundles     capi.Bundles
	// filter has the objects that match --watch-filter.
	filter capi.Filter
}

// addControllers adds the controllers to the manager.
func addControllers(ctx context.Context, mgr ctrl.Manager, opened *library.Library, opts Options) error {
	if err := capi.IndexFields(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	inside, err := insideOf(mgr.GetConfig())
	if err != nil {
		return err
	}
	w := wiring{
		mgr: mgr, opts: opts, library: opened,
		connections: workload.NewConnections(ctx, workload.ConnectionOptions{
			ConfigOf: configOf, Concurrency: opts.Concurrency.Connections, Inside: inside,
		}),
		bundles: capi.Bundles{Reader: mgr.GetClient(), OwnOnly: opts.ownBundlesOnly()},
		filter:  capi.Filter(opts.Manager.WatchFilter),
	}
	for _, add := range []func(context.Context) error{
		w.addBundles, w.addPlacements, w.addSets, w.addClusters, w.addClusterBundles, w.addConnecting,
	} {
		if err := add(ctx); err != nil {
			return err
		}
	}
	return nil
}

// addConnecting adds the controller that has the Clusters connected that a set selects,
// and those from which something is to be removed.
func (w wiring) addConnecting(context.Context) error {
	return capi.SetupConnecting(w.mgr, capi.ConnectingOptions{
		Selects: func(ctx context.Context, cluster *clusterv1.Cluster) bool {
			return w.filter.IsNeeded(ctx, w.mgr.GetClient(), cluster)
		},
		Changes: []source.Source{
			capi.SelectionChanges(w.mgr.GetClient(), w.mgr.GetCache()),
			capi.UninstallChanges(w.mgr.GetCache()),
		},
		Connections: w.connections,
	})
}

func (w wiring) addBundles(ctx context.Context) error {
	objects, err := metadataCache(w.mgr, w.opts.Manager)
	if err != nil {
		return err
	}
	r := &bundle.Reconciler{
		Client: w.mgr.GetClient(), Filter: w.filter, Status: w.newStatus(), Library: w.library,
		Interval: w.opts.Sources.ResolveInterval, Events: w.bundleEvents(ctx),
	}
	err = r.SetupWithManager(ctx, w.mgr, objects, options[reconcile.Request](w.opts.Concurrency.Bundles))
	if err != nil {
		return err
	}
	labels := &bundle.MoveLabels{Client: w.mgr.GetClient(), Filter: w.filter, Objects: objects}
	return labels.SetupWithManager(w.mgr, objects, options[bundle.Named](1))
}

func (w wiring) addPlacements(ctx context.Context) error {
	r := &placement.Reconciler{
		Client: w.mgr.GetClient(), Filter: w.filter, Bundles: w.bundles, Versions: w.connections, Library: w.library, Events: w.newStatus(),
		BundleEvents: w.bundleEvents(ctx), ConnectionEvents: w.connectionEvents(ctx),
		SyncPeriod: w.opts.Manager.SyncPeriod, NeverHolds: !w.opts.Features.Enabled(KubernetesUpgradeHold),
	}
	return r.SetupWithManager(w.mgr, options[placement.Placement](w.opts.Concurrency.Placements))
}

func (w wiring) addSets(context.Context) error {
	r := &clusterbundleset.Reconciler{Client: w.mgr.GetClient(), Filter: w.filter, Bundles: w.bundles, Status: w.newStatus()}
	return r.SetupWithManager(w.mgr, options[reconcile.Request](w.opts.Concurrency.Sets))
}

func (w wiring) addClusters(context.Context) error {
	r := &cluster.Reconciler{
		Client: w.mgr.GetClient(), Filter: w.filter, NeverHolds: !w.opts.Features.Enabled(KubernetesUpgradeHold),
	}
	return r.SetupWithManager(w.mgr, options[reconcile.Request](w.opts.Concurrency.Clusters))
}

func (w wiring) addClusterBundles(ctx context.Context) error {
	clusterEvents := trigger.NewChannel(ctx)
	w.library.SubscribeClusters(clusterEvents.Notify)
	r := &clusterbundle.Reconciler{
		Client: w.mgr.GetClient(), Filter: w.filter, Bundles: w.bundles, Status: w.newStatus(), Library: w.library, Connections: w.connections,
		Watches: workload.NewWatches(ctx, clusterEvents.Notify),
		// An object is in memory twice: as it is on disk, and as it is sent.
		Budget:           semaphore.NewWeighted(max(applyBudget, 2*w.opts.Objects.Bytes)),
		Clock:            clock.RealClock{},
		BundleEvents:     w.bundleEvents(ctx),
		ClusterEvents:    clusterEvents,
		ConnectionEvents: w.connectionEvents(ctx),
		SyncPeriod:       w.opts.Manager.SyncPeriod,
		NeverPatches:     !w.opts.Features.Enabled(ClusterPatches),
	}
	return r.SetupWithManager(ctx, w.mgr, options[reconcile.Request](w.opts.Concurrency.ClusterBundles))
}

// newStatus returns what writes the statuses of one kind of objects.
func (w wiring) newStatus() *status.Writer {
	return status.NewWriter(w.mgr.GetClient(), w.mgr.GetEventRecorder(name), clock.RealClock{})
}

// bundleEvents returns a channel of the Bundles of which the library resolved or
// fetched a source.
func (w wiring) bundleEvents(ctx context.Context) *trigger.Channel {
	events := trigger.NewChannel(ctx)
	w.library.Subscribe(events.Notify)
	return events
}

// connectionEvents returns a channel of the Clusters whose connection, or version of
// Kubernetes, changed.
func (w wiring) connectionEvents(ctx context.Context) *trigger.Channel {
	events := trigger.NewChannel(ctx)
	w.connections.Subscribe(events.Notify)
	return events
}

// options returns the options of a controller for a type of items.
func options[T comparable](concurrency int) controller.TypedOptions[T] {
	return controller.TypedOptions[T]{
		MaxConcurrentReconciles: concurrency,
		ReconciliationTimeout:   passTimeout,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[T](minBackOff, maxBackOff),
	}
}
