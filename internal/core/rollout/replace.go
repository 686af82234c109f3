package rollout

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// holdsData are the kinds that are never made anew since what they hold is lost.
var holdsData = map[schema.GroupKind]bool{
	{Kind: "PersistentVolume"}:      true,
	{Kind: "PersistentVolumeClaim"}: true,
}

// mayReplace reports whether an object may be deleted and made anew.
func (p *pass) mayReplace(object *plan.Object) bool {
	kind := object.GroupKind()
	switch {
	case isMadeAnew(object):
		return true
	case p.ImmutableFields != v1alpha1.RecreateImmutableFields, holdsData[kind]:
		return false
	}
	return !inventory.HoldsOthers(kind) || p.CRDs == v1alpha1.DeleteCRDPolicy
}

// replaceIfImmutable makes an object anew of which the API server did not let a
// field be changed, if that may be done.
func (p *pass) replaceIfImmutable(
	ctx context.Context, at located, object *plan.Object, body []byte, refused error,
) (*metav1.PartialObjectMetadata, error) {
	if !errors.Is(refused, ErrImmutable) {
		return nil, refused
	}
	if p.mayReplace(object) {
		return p.replace(ctx, at, object, body)
	}
	const advice = "immutableFields: Recreate makes it anew"
	if holdsData[object.GroupKind()] || inventory.HoldsOthers(object.GroupKind()) {
		return nil, fault.Stall(v1alpha1.ImmutableReason, fmt.Errorf("%w; to make it anew would lose what it holds", refused))
	}
	return nil, fault.Stall(v1alpha1.ImmutableReason, fmt.Errorf("%w; %s", refused, advice))
}

// replace deletes an object and makes it anew, if it is still the one that was looked
// at. One that finalizers keep is made when it is gone.
func (p *pass) replace(
	ctx context.Context, at located, object *plan.Object, body []byte,
) (*metav1.PartialObjectMetadata, error) {
	live, err := p.Cluster.Metadata(ctx, at.resource, at.ref)
	if err != nil {
		return nil, err
	}
	if live != nil && p.isAnother(live, p.found[object].live) {
		return nil, fault.Wait(v1alpha1.ApplyFailedReason, goneRetry, fmt.Errorf("%s: %w", at.ref, inventory.ErrChanged))
	}
	gone := live == nil
	if !gone {
		if err := p.allowed(); err != nil {
			return nil, err
		}
		if gone, err = p.Cluster.Delete(ctx, at.resource, at.ref, identityOf(live)); err != nil {
			return nil, err
		}
	}
	if !gone {
		return nil, fault.Wait(v1alpha1.ObjectTerminatingReason, goneRetry,
			fmt.Errorf("%s is being deleted: it is made anew when it is gone", at.ref))
	}
	if err := p.allowed(); err != nil {
		return nil, err
	}
	return p.Cluster.Create(ctx, at.resource, at.ref, body, p.Parent.FieldManager())
}

// isAnother reports whether an object is another one than that which was looked at, or
// somebody else's now.
func (p *pass) isAnother(live, looked *metav1.PartialObjectMetadata) bool {
	claimOf := func(o *metav1.PartialObjectMetadata) inventory.Claim {
		return inventory.ViewOf(o, p.Parent, p.Living).Claim
	}
	return live.UID != looked.UID || claimOf(live) != claimOf(looked)
}
