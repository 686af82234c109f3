package bundle

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/trigger"
)

// reopenEvery is after how long a Bundle names what its releases are made of again: the
// cache keeps what is named.
const reopenEvery = 30 * time.Minute

// opener opens releases without blocking.
type opener interface {
	listener

	Open(owner types.NamespacedName, r v1alpha1.Release, kubernetes string) (*library.Bundle, error)
	IsMutable(r v1alpha1.Release) bool
}

// listener is told what became of Bundles and of what they name.
type listener interface {
	Invalidate(namespace string, depends func(v1alpha1.Source) bool)
	LookAgain(bundle types.NamespacedName)
	Forget(bundle types.NamespacedName)
	Abandon(bundle types.NamespacedName)
}

// Reconciler reconciles Bundles. All fields but Filter are required.
type Reconciler struct {
	Client  client.Client
	Filter  capi.Filter
	Status  *status.Writer
	Library opener
	// Interval after which a Bundle whose sources can change is looked at again.
	Interval time.Duration
	// Events names the Bundles of which a source was resolved or fetched.
	Events *trigger.Channel
}

// SetupWithManager adds the reconciler to the manager. objects is a cache of the
// metadata of all ConfigMaps and Secrets.
func (r *Reconciler) SetupWithManager(
	ctx context.Context, mgr ctrl.Manager, objects cache.Cache, options controller.Options,
) error {
	if err := indexReferences(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	changed := predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		Named("bundle").
		For(&v1alpha1.Bundle{}, builder.WithPredicates(changed)).
		Watches(&v1alpha1.Bundle{}, handler.EnqueueRequestsFromMapFunc(r.lookAgain),
			builder.WithPredicates(askedAgain())).
		WatchesRawSource(trigger.Source(r.Events, 0, trigger.Itself)).
		WatchesRawSource(r.referenceSource(objects, configMapKind)).
		WatchesRawSource(r.referenceSource(objects, secretKind)).
		WithOptions(options).
		Complete(r)
}

// askedAgain lets through the events of Bundles whose annotation asks to look again.
func askedAgain() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before := e.ObjectOld.GetAnnotations()[v1alpha1.ReconcileAtAnnotation]
			return e.ObjectNew.GetAnnotations()[v1alpha1.ReconcileAtAnnotation] != before
		},
	}
}

// lookAgain returns the request for a Bundle after it has its sources looked at.
func (r *Reconciler) lookAgain(_ context.Context, bundle client.Object) []ctrl.Request {
	key := client.ObjectKeyFromObject(bundle)
	r.Library.LookAgain(key)
	return []ctrl.Request{{NamespacedName: key}}
}

// Reconcile opens every release of a Bundle and reports what it found.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	bundle := &v1alpha1.Bundle{}
	if found, result, err := r.Status.Read(ctx, r.Client, req.NamespacedName, bundle); !found {
		if result.IsZero() && err == nil {
			r.Library.Forget(req.NamespacedName)
			r.Library.Abandon(req.NamespacedName)
		}
		return result, err
	}
	if !r.Filter.Has(bundle) {
		r.Library.Forget(req.NamespacedName)
		return ctrl.Result{}, nil
	}
	before := bundle.DeepCopy()
	changed := bundle.Status.ObservedGeneration != bundle.Generation
	if changed {
		r.Library.Forget(req.NamespacedName) // what it names now it names below
	}
	releases, err := r.open(req.NamespacedName, bundle.Spec)
	_, invalid := capi.AllowedNamespaces(bundle)
	err = fault.Join(err, invalid)
	if changed {
		r.Library.Abandon(req.NamespacedName)
	}
	bundle.Status.Releases = releases
	bundle.Status.ObservedGeneration = bundle.Generation
	status.SetReady(bundle, err, "")
	result, finished := r.Status.Finish(ctx, bundle, before, err)
	switch {
	case finished != nil || fault.ClassOf(err) == fault.ClassWait:
	case slices.ContainsFunc(bundle.Spec.Releases, r.Library.IsMutable):
		// What a source can change to may also mend what stalls.
		result.RequeueAfter = min(r.Interval, reopenEvery)
	case err == nil:
		result.RequeueAfter = reopenEvery
	}
	return result, finished
}

// open opens every release: one that fails does not keep the others.
func (r *Reconciler) open(owner types.NamespacedName, spec v1alpha1.BundleSpec) ([]v1alpha1.ReleaseStatus, error) {
	statuses := make([]v1alpha1.ReleaseStatus, len(spec.Releases))
	errs := make([]error, len(spec.Releases))
	for i, candidate := range spec.Releases {
		opened, err := r.openOne(owner, spec, candidate)
		statuses[i] = statusOf(candidate, opened, err)
		errs[i] = fault.Wrap("release "+candidate.Version, err)
	}
	return statuses, fault.Join(errs...)
}

// openOne opens a release. What is opened may have a problem nevertheless, or not pass
// the validation of the Bundle.
func (r *Reconciler) openOne(
	owner types.NamespacedName, spec v1alpha1.BundleSpec, candidate v1alpha1.Release,
) (*library.Bundle, error) {
	verified, err := release.WithVerifyPolicy(spec, candidate)
	if err != nil {
		return nil, err
	}
	opened, err := r.Library.Open(owner, verified, "")
	if err != nil {
		return nil, err
	}
	return opened, fault.Join(opened.Problem, opened.CheckFindings(spec.Validation))
}
