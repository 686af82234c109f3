package takeover

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

// Blockers returns why a ClusterResourceSet cannot be removed yet; none if it can. The
// Bundle is nil until it exists.
func (p *Plan) Blockers(g Given, bundle *v1alpha1.Bundle, delivered []v1alpha1.ClusterBundle) []string {
	if bundle == nil {
		return []string{fmt.Sprintf("Bundle %s does not exist", p.Bundle.Name)}
	}
	var blockers []string
	for _, r := range p.Resources {
		ours := func(owner metav1.OwnerReference) bool { return owner.UID == bundle.UID }
		// The garbage collector removes what has no owner any more.
		if !slices.ContainsFunc(r.Owners, ours) {
			blockers = append(blockers, fmt.Sprintf("%s is not owned by the Bundle, and would be removed with the ClusterResourceSet", r))
		}
	}
	for _, c := range p.Clusters {
		if len(bindingOf(g, c.Name).Resources) == 0 {
			continue // nothing was applied that could be lost
		}
		if problem := p.notDelivered(c.Name, delivered); problem != "" {
			blockers = append(blockers, fmt.Sprintf("Cluster %s: %s", c.Name, problem))
		}
	}
	return blockers
}

// notDelivered returns what is missing for the set to have taken over a Cluster.
func (p *Plan) notDelivered(cluster string, delivered []v1alpha1.ClusterBundle) string {
	for i := range delivered {
		cb := &delivered[i]
		if cb.Spec.SetName != p.Set.Name || cb.Spec.ClusterName != cluster {
			continue
		}
		if release.IsReady(cb) {
			return ""
		}
		if ready := meta.FindStatusCondition(cb.Status.Conditions, v1alpha1.ReadyCondition); ready != nil {
			return fmt.Sprintf("ClusterBundle %s is not Ready: %s", cb.Name, ready.Message)
		}
		return fmt.Sprintf("ClusterBundle %s is not Ready", cb.Name)
	}
	return "it has no ClusterBundle yet"
}
