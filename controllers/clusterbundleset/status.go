package clusterbundleset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

// maxNamed is how many Clusters a message names.
const maxNamed = 3

// gathered is what the status of a set is computed from.
type gathered struct {
	clusters   []string                      // the names of those that are selected, sorted
	conditions map[string][]metav1.Condition // of its ClusterBundles, by the names of their Clusters
	invalid    error                         // what is wrong with the set itself
}

// gather reads, from the cache, the Clusters that a set selects and its ClusterBundles.
func (r *Reconciler) gather(ctx context.Context, set *v1alpha1.ClusterBundleSet) (gathered, error) {
	clusters, err := capi.SelectedClusters(ctx, r.Client, set)
	if fault.ClassOf(err) == fault.ClassStall {
		return gathered{invalid: err}, nil
	}
	if err != nil {
		return gathered{}, err
	}
	bundles, err := capi.ClusterBundlesBy(ctx, r.Client, capi.SetField, set.Namespace, set.Name)
	if err != nil {
		return gathered{}, err
	}
	g := gathered{clusters: r.namesOf(clusters), conditions: make(map[string][]metav1.Condition, len(bundles))}
	for i := range bundles {
		g.conditions[bundles[i].Spec.ClusterName] = bundles[i].Status.Conditions
	}
	bundle, bundleErr := r.invalidBundle(ctx, set)
	dependencies, dependenciesErr := r.invalidDependencies(ctx, set)
	g.invalid = fault.Join(bundle, dependencies)
	return g, fault.Join(bundleErr, dependenciesErr)
}

// namesOf returns the names of the Clusters that this manager has, sorted.
func (r *Reconciler) namesOf(clusters []clusterv1.Cluster) []string {
	names := make([]string, 0, len(clusters))
	for i := range clusters {
		if r.Filter.Has(&clusters[i]) {
			names = append(names, clusters[i].Name)
		}
	}
	slices.Sort(names)
	return names
}

// invalidBundle returns what is wrong with the Bundle of a set whatever the
// Clusters: it does not exist, or no release can ever fit.
func (r *Reconciler) invalidBundle(ctx context.Context, set *v1alpha1.ClusterBundleSet) (problem, err error) {
	bundle, err := r.Bundles.Get(ctx, capi.BundleOfSet(set), set.Namespace)
	if err != nil && fault.ClassOf(err) != fault.ClassRetry {
		return err, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = release.Choose(bundle.Spec.Releases, set.Spec.Bundle.Version, "")
	if fault.ClassOf(err) == fault.ClassStall {
		return err, nil
	}
	return nil, nil
}

// counted is what the ClusterBundles of a set add up to.
type counted struct {
	applied, ready, stalled, failed int32
	// missing are the Clusters that are not ready, behind those that stay at the
	// release that they have, since the one that they should get cannot be chosen or
	// fetched. Both are sorted.
	missing, behind []string
	// why is what the first Cluster that is behind says.
	why string
}

func count(g gathered) counted {
	var c counted
	for _, cluster := range g.clusters {
		c.add(cluster, outcomeOf(g.conditions[cluster]))
	}
	return c
}

// add adds a Cluster. They come in the order of their names.
func (c *counted) add(cluster string, o outcome) {
	if o.behind != "" {
		c.behind, c.why = append(c.behind, cluster), cmp.Or(c.why, o.behind)
	}
	if o.applied {
		c.applied++
	}
	if o.stalled {
		c.stalled++
	}
	if o.stalled || o.behind != "" {
		c.failed++
	}
	if o.ready {
		c.ready++
		return
	}
	c.missing = append(c.missing, cluster)
}

// outcome is what counts of a ClusterBundle.
type outcome struct {
	applied, ready, stalled bool
	// behind is why the Cluster stays at the release that it has; empty if that is the
	// one to have, or about to be, or on the way there.
	behind string
}

func outcomeOf(conditions []metav1.Condition) outcome {
	return outcome{
		applied: meta.IsStatusConditionTrue(conditions, v1alpha1.AppliedCondition),
		ready:   meta.IsStatusConditionTrue(conditions, v1alpha1.ReadyCondition),
		stalled: meta.IsStatusConditionTrue(conditions, v1alpha1.StalledCondition),
		behind:  behind(conditions),
	}
}

// behind returns why a Cluster stays at the release that it has.
func behind(conditions []metav1.Condition) string {
	c := meta.FindStatusCondition(conditions, v1alpha1.UpToDateCondition)
	if c == nil || c.Status != metav1.ConditionFalse || c.Reason == v1alpha1.ProgressingReason {
		return ""
	}
	return c.Message
}

// setStatus computes the status. It returns the error that the Ready
// condition shows, nil when every selected Cluster is ready.
func setStatus(set *v1alpha1.ClusterBundleSet, g gathered) error {
	c := count(g)
	set.Status.Matched = new(int32(len(g.clusters))) //nolint:gosec // the number of Clusters in one namespace
	set.Status.Applied, set.Status.Ready, set.Status.Failed = &c.applied, &c.ready, &c.failed
	set.Status.ObservedGeneration = set.Generation

	found := notReady(set, g, c)
	status.SetReady(set, found, fmt.Sprintf("%d Clusters are ready", c.ready))
	status.SetPaused(set, pauseOf(set))
	return found
}

// notReady returns what keeps the set from being ready.
func notReady(set *v1alpha1.ClusterBundleSet, g gathered, c counted) error {
	switch {
	case g.invalid != nil:
		return g.invalid
	case suspended(set):
		return errSuspended
	case len(c.missing) > 0:
		return fault.Wait(v1alpha1.ProgressingReason, 0, fmt.Errorf("%d of %d Clusters are not ready, %d of them stalled: %s",
			len(c.missing), len(g.clusters), c.stalled, text.List(c.missing, maxNamed, ", ")))
	case len(c.behind) > 0:
		return fault.Wait(v1alpha1.NotUpToDateReason, 0, fmt.Errorf(
			"%d of %d Clusters do not get the release that they should have: %s: %s",
			len(c.behind), len(g.clusters), text.List(c.behind, maxNamed, ", "), c.why))
	}
	return nil
}

var errSuspended = fault.Wait(v1alpha1.SuspendedReason, 0, errors.New("spec.suspend is true"))

// pauseOf returns what pauses all work of a set, nil if nothing does.
func pauseOf(set *v1alpha1.ClusterBundleSet) error {
	if why := capi.WhyPaused(nil, set); why != "" {
		return fault.Wait(v1alpha1.PausedReason, 0, errors.New(why))
	}
	if suspended(set) {
		return errSuspended
	}
	return nil
}

func suspended(set *v1alpha1.ClusterBundleSet) bool {
	return set.Spec.Suspend != nil && *set.Spec.Suspend
}
