package takeover

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	addonsv1 "sigs.k8s.io/cluster-api/api/addons/v1beta2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// maxNames is how many Clusters or sets a warning names.
const maxNames = 10

func (p *Plan) warnf(format string, args ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
}

// warn adds what will be different from what the ClusterResourceSet does.
func (p *Plan) warn(g Given) {
	for _, r := range p.Resources {
		p.warnResource(r, g)
	}
	if len(p.Bundle.Spec.Releases[0].Phases) > 1 {
		p.warnf("%d resources are more than one phase may have: each %d of them wait until those before are ready",
			len(p.Resources), sourcesEach)
	}
	if p.Set.Annotations != nil {
		p.warnf("the ClusterResourceSet is paused, and the ClusterBundleSet will be, too: remove its annotation %s",
			clusterv1.PausedAnnotation)
	}
	if p.Set.Spec.Strategy == v1alpha1.ApplyOnceStrategy {
		p.warnf("the strategy ApplyOnce brings no later release to a Cluster that has one: --strategy Reconcile does")
	}
	p.warnClusters(g)
}

// warnResource warns about what one resource brings.
func (p *Plan) warnResource(r Resource, g Given) {
	if r.Binary {
		p.warnf("%s has binaryData, which Cluster API does not read: only the keys that it has now are delivered", r)
	}
	never, other := p.applied(r, g)
	if len(never) > 0 {
		p.warnf("%s was not applied by the ClusterResourceSet on %s: it will be", r, text.List(never, maxNames, ", "))
	}
	if len(other) > 0 {
		p.warnf("%s was applied with another content on %s: what it has now is delivered, and what it had is removed from its objects",
			r, text.List(other, maxNames, ", "))
	}
	if others := sharedBy(r, g); len(others) > 0 {
		p.warnf("%s is also applied by ClusterResourceSet %s: take that over, too, or both apply what is changed in it",
			r, text.List(others, maxNames, ", "))
	}
}

// applied returns the Clusters on which a resource was not applied, and those on which
// another content of it was.
func (p *Plan) applied(r Resource, g Given) (never, other []string) {
	sum := sumOf(r)
	for _, c := range p.Clusters {
		found := bindingOf(g, c.Name).GetResource(r.ResourceRef)
		switch {
		case found == nil || found.Applied == nil || !*found.Applied:
			never = append(never, c.Name)
		case found.Hash != sum:
			other = append(other, c.Name)
		}
	}
	return never, other
}

// bindingOf returns what the ClusterResourceSet applied on a Cluster.
func bindingOf(g Given, cluster string) *addonsv1.ResourceSetBinding {
	for i := range g.Bindings {
		if g.Bindings[i].Name != cluster {
			continue
		}
		for j := range g.Bindings[i].Spec.Bindings {
			if b := &g.Bindings[i].Spec.Bindings[j]; b.ClusterResourceSetName == g.ClusterResourceSet.Name {
				return b
			}
		}
	}
	return &addonsv1.ResourceSetBinding{}
}

// sumOf returns the hash that Cluster API keeps of a resource.
func sumOf(r Resource) string {
	sum := sha256.New()
	for _, key := range keysOf(r) {
		sum.Write(r.Values[key])
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// sharedBy returns the other ClusterResourceSets that name a resource.
func sharedBy(r Resource, g Given) []string {
	var names []string
	for _, other := range g.Others {
		if other.Name != g.ClusterResourceSet.Name && slices.Contains(other.Spec.Resources, r.ResourceRef) {
			names = append(names, other.Name)
		}
	}
	slices.Sort(names)
	return names
}

// warnClusters warns about Clusters that wait, and about other sets that select them.
func (p *Plan) warnClusters(g Given) {
	var paused []string
	for _, c := range p.Clusters {
		if _, ok := c.Annotations[clusterv1.PausedAnnotation]; ok || c.Spec.Paused != nil && *c.Spec.Paused {
			paused = append(paused, c.Name)
		}
	}
	if len(paused) > 0 {
		p.warnf("paused, which a ClusterResourceSet ignores and a ClusterBundleSet does not: Cluster %s",
			text.List(paused, maxNames, ", "))
	}
	if sets := p.alsoSelecting(g.Sets); len(sets) > 0 {
		p.warnf("Clusters are selected by ClusterBundleSet %s, too: an object that both bring has to be equal",
			text.List(sets, maxNames, ", "))
	}
}

// alsoSelecting returns the other sets that select one of the Clusters.
func (p *Plan) alsoSelecting(sets []v1alpha1.ClusterBundleSet) []string {
	var names []string
	for _, set := range sets {
		both, err := selected(set.Spec.ClusterSelector, p.Clusters)
		if err == nil && len(both) > 0 && set.Name != p.Set.Name {
			names = append(names, set.Name)
		}
	}
	slices.Sort(names)
	return names
}
