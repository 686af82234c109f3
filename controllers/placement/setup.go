package placement

import (
	"context"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/trigger"
)

type queue = workqueue.TypedRateLimitingInterface[Placement]

// SetupWithManager adds the reconciler to the manager, whose cache has the
// indices of capi.IndexFields.
func (r *Reconciler) SetupWithManager(
	mgr ctrl.Manager, options controller.TypedOptions[Placement],
) error {
	setChanged := predicate.Or[client.Object](
		predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, predicate.LabelChangedPredicate{})
	clusterBundleChanged := predicate.Or[client.Object](
		predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, standingChanged())
	options.LogConstructor = logConstructor(mgr.GetLogger())
	made := builder.TypedControllerManagedBy[Placement](mgr).
		Named("placement").
		Watches(&v1alpha1.ClusterBundleSet{}, handler.TypedEnqueueRequestsFromMapFunc(r.setToPlacements),
			builder.WithPredicates(setChanged)).
		Watches(&v1alpha1.ClusterBundle{}, handler.TypedEnqueueRequestsFromMapFunc(clusterBundleToPlacement),
			builder.WithPredicates(clusterBundleChanged)).
		Watches(&v1alpha1.Bundle{}, handler.TypedEnqueueRequestsFromMapFunc(r.bundleToPlacements),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&clusterv1.Cluster{}, r.clusterEvents(), builder.WithPredicates(clusterChanged())).
		WatchesRawSource(trigger.Source(r.BundleEvents, 0, r.placementsOf)).
		WatchesRawSource(trigger.Source(r.ConnectionEvents, 0, r.connectionToPlacements)).
		WithOptions(options)
	if !r.Bundles.OwnOnly {
		made = made.Watches(&corev1.Namespace{}, handler.TypedEnqueueRequestsFromMapFunc(r.namespaceToPlacements),
			builder.OnlyMetadata, builder.WithPredicates(predicate.LabelChangedPredicate{}))
	}
	return made.Complete(r)
}

func logConstructor(log logr.Logger) func(*Placement) logr.Logger {
	log = log.WithValues("controller", "placement")
	return func(p *Placement) logr.Logger {
		if p == nil {
			return log
		}
		return log.WithValues("ClusterBundleSet", klog.KRef(p.Namespace, p.Set), "Cluster", klog.KRef(p.Namespace, p.Cluster))
	}
}

// setToPlacements returns the placements of a set: on the Clusters that it
// selects, and on those that it selected before.
func (r *Reconciler) setToPlacements(ctx context.Context, object client.Object) []Placement {
	set := object.(*v1alpha1.ClusterBundleSet)
	log := ctrl.LoggerFrom(ctx).WithValues("ClusterBundleSet", klog.KObj(set))
	var placements []Placement
	clusterBundles, err := capi.ClusterBundlesBy(ctx, r.Client, capi.SetField, set.Namespace, set.Name)
	if err != nil {
		log.Error(err, "listing ClusterBundles")
	}
	for _, cb := range clusterBundles {
		placements = append(placements, Placement{set.Namespace, set.Name, cb.Spec.ClusterName})
	}
	clusters, err := capi.SelectedClusters(ctx, r.Client, set)
	if err != nil {
		log.Error(err, "listing the Clusters that are selected")
	}
	for i := range clusters {
		placements = append(placements, Placement{set.Namespace, set.Name, clusters[i].Name})
	}
	return placements
}

// standingChanged lets through the events of ClusterBundles of which the release that is
// pinned became Ready, or failed: another may be pinned then.
func standingChanged() predicate.Predicate {
	standing := func(object client.Object) [2]bool {
		cb := object.(*v1alpha1.ClusterBundle)
		return [2]bool{release.IsReady(cb), release.FailureOf(cb) != ""}
	}
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return standing(e.ObjectOld) != standing(e.ObjectNew)
	}}
}

// clusterBundleToPlacement returns the placement of a ClusterBundle, which
// somebody may have changed or deleted.
func clusterBundleToPlacement(_ context.Context, object client.Object) []Placement {
	cb := object.(*v1alpha1.ClusterBundle)
	return []Placement{{cb.Namespace, cb.Spec.SetName, cb.Spec.ClusterName}}
}

// bundleToPlacements returns the placements of all sets of a Bundle.
func (r *Reconciler) bundleToPlacements(ctx context.Context, bundle client.Object) []Placement {
	return r.placementsOf(ctx, client.ObjectKeyFromObject(bundle))
}

// placementsOf returns the placements of all sets of the named Bundle.
func (r *Reconciler) placementsOf(ctx context.Context, bundle types.NamespacedName) []Placement {
	sets, err := capi.SetsOf(ctx, r.Client, bundle)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ClusterBundleSets", "Bundle", klog.KRef(bundle.Namespace, bundle.Name))
	}
	var placements []Placement
	for i := range sets {
		placements = append(placements, r.setToPlacements(ctx, &sets[i])...)
	}
	return placements
}

// namespaceToPlacements returns the placements of the sets of a Namespace whose Bundle
// is of another one, which it may use by its labels.
func (r *Reconciler) namespaceToPlacements(ctx context.Context, namespace client.Object) []Placement {
	sets, err := r.Bundles.SetsOfOthers(ctx, namespace.GetName())
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ClusterBundleSets", "Namespace", klog.KObj(namespace))
	}
	var placements []Placement
	for i := range sets {
		placements = append(placements, r.setToPlacements(ctx, &sets[i])...)
	}
	return placements
}

// connectionToPlacements returns the placements of a Cluster whose version can be read
// now, or no longer, or changed.
func (r *Reconciler) connectionToPlacements(ctx context.Context, key types.NamespacedName) []Placement {
	cluster := &clusterv1.Cluster{}
	if err := r.Client.Get(ctx, key, cluster); err != nil {
		if !apierrors.IsNotFound(err) {
			ctrl.LoggerFrom(ctx).Error(err, "reading a Cluster", "Cluster", klog.KRef(key.Namespace, key.Name))
		}
		return nil
	}
	return r.clusterToPlacements(ctx, cluster, cluster.Labels)
}

// clusterToPlacements returns the placements of a Cluster: of the sets that select
// one of the sets of labels, and those that it has from before, of which a label
// or a set may have gone while the Cluster was paused.
func (r *Reconciler) clusterToPlacements(
	ctx context.Context, cluster client.Object, labelSets ...map[string]string,
) []Placement {
	var placements []Placement
	for _, set := range capi.SelectingSets(ctx, r.Client, cluster.GetNamespace(), labelSets...) {
		placements = append(placements, Placement{set.Namespace, set.Name, cluster.GetName()})
	}
	existing, err := capi.ClusterBundlesBy(ctx, r.Client, capi.ClusterField, cluster.GetNamespace(), cluster.GetName())
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ClusterBundles", "Cluster", klog.KObj(cluster))
	}
	for _, cb := range existing {
		placements = append(placements, Placement{cb.Namespace, cb.Spec.SetName, cb.Spec.ClusterName})
	}
	return placements
}

// clusterEvents leads to the placements of a Cluster of the sets that select it,
// or did before its labels changed.
func (r *Reconciler) clusterEvents() handler.TypedEventHandler[client.Object, Placement] {
	add := func(ctx context.Context, q queue, cluster client.Object, labelSets ...map[string]string) {
		for _, p := range r.clusterToPlacements(ctx, cluster, labelSets...) {
			q.Add(p)
		}
	}
	return handler.TypedFuncs[client.Object, Placement]{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) {
			add(ctx, q, e.Object, e.Object.GetLabels())
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			add(ctx, q, e.ObjectNew, e.ObjectNew.GetLabels(), e.ObjectOld.GetLabels())
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) {
			add(ctx, q, e.Object, e.Object.GetLabels())
		},
	}
}

// clusterChanged lets through the events of a Cluster that change something for
// its placements.
func clusterChanged() predicate.Predicate {
	type facts struct {
		paused, deleting bool
		version          string
	}
	return predicate.Or[client.Object](predicate.LabelChangedPredicate{}, capi.ClusterChanged(
		func(cluster *clusterv1.Cluster) facts {
			return facts{
				paused:   capi.IsPaused(cluster),
				deleting: !cluster.DeletionTimestamp.IsZero(),
				version:  cluster.Spec.Topology.Version,
			}
		}))
}
