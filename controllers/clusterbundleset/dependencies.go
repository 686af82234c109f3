package clusterbundleset

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/dependency"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// invalidDependencies returns what is wrong with the sets that a set depends on: they
// wait for each other, or one does not exist.
func (r *Reconciler) invalidDependencies(ctx context.Context, set *v1alpha1.ClusterBundleSet) (problem, err error) {
	if len(set.Spec.DependsOn) == 0 {
		return nil, nil
	}
	sets := &v1alpha1.ClusterBundleSetList{}
	if err := r.Client.List(ctx, sets, client.InNamespace(set.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	return checkDependencies(set, sets.Items), nil
}

// checkDependencies returns what is wrong with the dependencies of a set among the
// sets of its namespace.
func checkDependencies(set *v1alpha1.ClusterBundleSet, sets []v1alpha1.ClusterBundleSet) error {
	dependsOn := make(map[string][]string, len(sets))
	for i := range sets {
		dependsOn[sets[i].Name] = names(sets[i].Spec.DependsOn)
	}
	if cycle := dependency.Cycle(set.Name, dependsOn); cycle != nil {
		return fault.Stall(v1alpha1.DependencyCycleReason,
			fmt.Errorf("the sets wait for each other: %s", strings.Join(cycle, " -> ")))
	}
	var missing []error
	for _, other := range names(set.Spec.DependsOn) {
		if _, exists := dependsOn[other]; !exists {
			missing = append(missing, fault.Wait(v1alpha1.DependencyNotReadyReason, 0,
				fmt.Errorf("depends on ClusterBundleSet %s, which does not exist", other)))
		}
	}
	return fault.Join(missing...)
}

// names returns the names of sets, sorted.
func names(references []v1alpha1.SetReference) []string {
	names := make([]string, len(references))
	for i, reference := range references {
		names[i] = reference.Name
	}
	slices.Sort(names)
	return names
}

// dependsOnChanged lets through the events of sets that come, go or depend on others
// than before.
func dependsOnChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, after := e.ObjectOld.(*v1alpha1.ClusterBundleSet), e.ObjectNew.(*v1alpha1.ClusterBundleSet)
		return !equality.Semantic.DeepEqual(before.Spec.DependsOn, after.Spec.DependsOn)
	}}
}

// setToDependents returns the sets of a namespace that depend on any other one: a
// set is in a cycle, or no longer, by what the others of it depend on.
func (r *Reconciler) setToDependents(ctx context.Context, set client.Object) []types.NamespacedName {
	sets := &v1alpha1.ClusterBundleSetList{}
	if err := r.Client.List(ctx, sets, client.InNamespace(set.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ClusterBundleSets")
	}
	return keysOf(slices.DeleteFunc(sets.Items, func(s v1alpha1.ClusterBundleSet) bool {
		return len(s.Spec.DependsOn) == 0
	}))
}
