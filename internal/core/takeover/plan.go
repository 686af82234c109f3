package takeover

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	addonsv1 "sigs.k8s.io/cluster-api/api/addons/v1beta2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// New returns what takes the place of a ClusterResourceSet. An error says what stands
// in the way and what to do.
func New(g Given, o Options, limits manifest.Limits) (*Plan, error) {
	crs := g.ClusterResourceSet
	o.Name = cmp.Or(o.Name, crs.Name)
	o.Strategy = cmp.Or(o.Strategy, v1alpha1.Strategy(crs.Spec.Strategy), v1alpha1.ApplyOnceStrategy)
	if err := check(crs, o); err != nil {
		return nil, err
	}
	p := &Plan{}
	p.takeResources(g.Resources)
	if len(p.Resources) == 0 {
		return nil, fmt.Errorf("ClusterResourceSet %s names nothing that can be delivered: %v", crs.Name, p.Warnings)
	}
	var err error
	if p.Clusters, err = selected(crs.Spec.ClusterSelector, g.Clusters); err != nil {
		return nil, fmt.Errorf("ClusterResourceSet %s: clusterSelector: %w", crs.Name, err)
	}
	phases := phasesOf(p.Resources)
	if p.Objects, err = objectsOf(phases, p.Resources, limits); err != nil {
		return nil, err
	}
	p.Bundle, p.Set = bundleOf(crs, o, phases), setOf(crs, o)
	p.warn(g)
	return p, nil
}

// check returns an error for what cannot be the name of a set, or the version of a release.
func check(crs *addonsv1.ClusterResourceSet, o Options) error {
	if len(o.Name) > validation.LabelValueMaxLength {
		return fmt.Errorf("the name %s is longer than the %d characters that a ClusterBundleSet may have: choose one with --name",
			o.Name, validation.LabelValueMaxLength)
	}
	if problems := validation.IsDNS1123Subdomain(o.Name); len(problems) > 0 {
		return fmt.Errorf("the name %q: %s", o.Name, problems[0])
	}
	// A set without a constraint gives no Cluster a pre-release.
	if v, err := semver.StrictNewVersion(strings.TrimPrefix(o.Version, "v")); err != nil || v.Prerelease() != "" {
		return fmt.Errorf("the version %q: it has to be a stable semantic version such as 1.0.0", o.Version)
	}
	if o.Strategy != v1alpha1.ApplyOnceStrategy && o.Strategy != v1alpha1.ReconcileStrategy {
		return fmt.Errorf("the strategy %q: it has to be %s or %s", o.Strategy, v1alpha1.ReconcileStrategy, v1alpha1.ApplyOnceStrategy)
	}
	if !crs.DeletionTimestamp.IsZero() {
		return fmt.Errorf("ClusterResourceSet %s is being deleted", crs.Name)
	}
	return nil
}

// takeResources takes what can be a source, each once, and warns about the rest. A source
// that does not exist would keep all others from being delivered.
func (p *Plan) takeResources(resources []Resource) {
	for _, r := range resources {
		same := func(taken Resource) bool { return taken.ResourceRef == r.ResourceRef }
		switch {
		case slices.ContainsFunc(p.Resources, same):
		case !r.Found:
			p.warnf("%s does not exist, and is left out", r)
		case r.Kind == string(addonsv1.SecretClusterResourceSetResourceKind) && r.Type != addonsv1.ClusterResourceSetSecretType:
			p.warnf("%s is of the type %s, which Cluster API does not apply, and is left out", r, cmp.Or(r.Type, corev1.SecretTypeOpaque))
		case len(r.Values) == 0:
			p.warnf("%s has no data, and is left out", r)
		default:
			p.Resources = append(p.Resources, r)
		}
	}
}

// selected returns the Clusters that a ClusterResourceSet applies to, sorted by name.
func selected(selector metav1.LabelSelector, clusters []clusterv1.Cluster) ([]clusterv1.Cluster, error) {
	s, err := metav1.LabelSelectorAsSelector(&selector)
	if err != nil || s.Empty() {
		return nil, cmp.Or(err, fmt.Errorf("it is empty, and selects no Cluster"))
	}
	var found []clusterv1.Cluster
	for _, c := range clusters {
		if s.Matches(labels.Set(c.Labels)) && c.DeletionTimestamp.IsZero() {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, func(a, b clusterv1.Cluster) int { return cmp.Compare(a.Name, b.Name) })
	return found, nil
}

// bundleOf returns the Bundle.
func bundleOf(crs *addonsv1.ClusterResourceSet, o Options, phases []v1alpha1.Phase) *v1alpha1.Bundle {
	return &v1alpha1.Bundle{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Bundle"},
		ObjectMeta: metadataOf(crs, o.Name),
		Spec:       v1alpha1.BundleSpec{Releases: []v1alpha1.Release{{Version: o.Version, Phases: phases}}},
	}
}

// setOf returns the ClusterBundleSet. One for a ClusterResourceSet that is paused is so, too.
func setOf(crs *addonsv1.ClusterResourceSet, o Options) *v1alpha1.ClusterBundleSet {
	set := &v1alpha1.ClusterBundleSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "ClusterBundleSet"},
		ObjectMeta: metadataOf(crs, o.Name),
		Spec: v1alpha1.ClusterBundleSetSpec{
			ClusterSelector: *crs.Spec.ClusterSelector.DeepCopy(),
			Bundle:          v1alpha1.BundleSelector{Name: o.Name},
			Strategy:        o.Strategy,
		},
	}
	if paused, ok := crs.Annotations[clusterv1.PausedAnnotation]; ok {
		set.Annotations = map[string]string{clusterv1.PausedAnnotation: paused}
	}
	return set
}

// metadataOf returns name and namespace, and the label by which managers share out objects.
// Other labels are not taken over: those of Flux or Argo CD would have them remove both.
func metadataOf(crs *addonsv1.ClusterResourceSet, name string) metav1.ObjectMeta {
	metadata := metav1.ObjectMeta{Namespace: crs.Namespace, Name: name}
	if filter, ok := crs.Labels[clusterv1.WatchLabel]; ok {
		metadata.Labels = map[string]string{clusterv1.WatchLabel: filter}
	}
	return metadata
}
