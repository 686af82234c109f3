package rollout

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// letGoHeld lets go, in place of removing them, those of the leavers that hold objects
// of other living sets: a Namespace that one of them did not bring, or the
// CustomResourceDefinition of an instance.
func (l leavers) letGoHeld(ctx context.Context, found []leaver) error {
	var holders []*leaver
	for i := range found {
		if o := &found[i]; inventory.HoldsOthers(o.ref.GroupKind()) && !o.letGo && !o.deleted {
			holders = append(holders, o)
		}
	}
	if len(holders) == 0 {
		return nil
	}
	held, err := l.heldByOthers(ctx)
	if err != nil {
		return err
	}
	for _, o := range holders {
		o.letGo = held[place{kind: o.ref.GroupKind(), name: o.ref.Name}]
	}
	return nil
}

// heldByOthers returns the Namespaces and CustomResourceDefinitions that the members
// of other living sets need.
func (l leavers) heldByOthers(ctx context.Context) (map[place]bool, error) {
	held := make(map[place]bool)
	for _, other := range l.living.Others(l.parent) {
		parent, err := ReadParent(ctx, l.reader, other)
		if err != nil {
			return nil, err
		}
		kinds := kindsOf(inventory.RecordOf(parent).GroupKinds)
		resources, err := l.cluster.Preferred(ctx, kinds)
		if err != nil {
			return nil, err
		}
		for kind, resource := range resources {
			if err := l.addHeld(ctx, held, other, kind, resource); err != nil {
				return nil, err
			}
		}
	}
	return held, nil
}

// addHeld adds what the members of a kind need.
func (l leavers) addHeld(
	ctx context.Context, held map[place]bool, other inventory.Parent, kind schema.GroupKind, resource manifest.Resource,
) error {
	return l.reader.List(ctx, resource, "", labelOf(other), func(live *metav1.PartialObjectMetadata) {
		held[place{kind: inventory.NamespaceKind, name: live.Namespace}] = true
		held[place{kind: inventory.CRDKind, name: resource.Plural + "." + kind.Group}] = true
	})
}
