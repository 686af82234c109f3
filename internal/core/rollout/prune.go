package rollout

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
)

// place is where an object is, in whatever version of its kind.
type place struct {
	kind            schema.GroupKind
	namespace, name string
}

// places returns where the objects of the release stay, and where what they cannot be
// without is: the Namespaces that they are in and the CustomResourceDefinitions of
// their kinds, which a release need not bring. They would go with these. Hooks for
// another event stay if they are there, as what an installation made does in an upgrade.
func (p *pass) places(ctx context.Context) (map[place]bool, error) {
	places := make(map[place]bool)
	for _, variant := range p.Release.Plan.Variants() {
		for object := range variant.All {
			resource, ref, err := p.mapper.locate(ctx, *object)
			if variant != p.plan && errors.Is(err, errKindNotServed) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if !isTemporary(object) {
				places[place{ref.GroupKind(), ref.Namespace, ref.Name}] = true
			}
			places[place{kind: inventory.NamespaceKind, name: ref.Namespace}] = true
			places[place{kind: inventory.CRDKind, name: resource.Plural + "." + resource.Group}] = true
		}
	}
	return places, nil
}

// prune removes, once the last gate has opened, what an earlier release brought and
// this one does not have, and hooks that want to be gone then. Kinds without members then
// leave the inventory.
func (p *pass) prune(ctx context.Context) error {
	if !p.record.Progress.Prune {
		return nil
	}
	places, err := p.places(ctx)
	if err != nil {
		return err
	}
	if err := p.saveBeforeRemoval(ctx); err != nil {
		return err
	}
	stayed, err := leavers{
		sender: p.sender, cluster: p.Cluster, reader: p.Cluster, parent: p.Parent, living: p.Living,
		policy: p.CRDs, now: p.Now(), reason: v1alpha1.PruningReason,
		keep: func(kind schema.GroupKind, namespace, name string) bool { return places[place{kind, namespace, name}] },
	}.remove(ctx, p.record)
	for _, target := range stayed.targets {
		p.watch(target)
	}
	if err != nil {
		return err
	}
	p.record.GroupKinds = union(groupKinds(p.plan), stayed.kinds)
	p.record.Progress.Prune = false
	return nil
}
