package rollout

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// applyLive applies an object that exists. If the API server does not accept it, and
// a field of the live object may be why, it is applied again without that field.
func (p *pass) applyLive(ctx context.Context, resource manifest.Resource, ref manifest.Ref, body []byte) error {
	err := p.Cluster.Apply(ctx, resource, ref, body, p.Parent.FieldManager())
	if fault.ReasonOf(err, "") != v1alpha1.ObjectInvalidReason {
		return err
	}
	field := manifest.RuledOut(ref, body)
	if field == nil {
		return err
	}
	return p.applyWithout(ctx, resource, ref, body, field)
}

// applyWithout applies an object again after the set has claimed a field that the
// object does not have: the apply then removes it. Nobody owns what an API server
// set by default, so no apply does that by itself.
func (p *pass) applyWithout(
	ctx context.Context, resource manifest.Resource, ref manifest.Ref, body []byte, field []string,
) error {
	live, err := p.Cluster.Metadata(ctx, resource, ref)
	if err != nil {
		return err
	}
	if live == nil {
		return p.Cluster.Create(ctx, resource, ref, body, p.Parent.FieldManager())
	}
	fields, err := inventory.ClaimField(live.ManagedFields, p.Parent.FieldManager(), metav1.GroupVersion{Group: ref.Group, Version: ref.Version}.String(), field)
	if err != nil {
		return fault.Retry(v1alpha1.ApplyFailedReason, fmt.Errorf("%s: managed fields: %w", ref, err))
	}
	if err := p.allowed(); err != nil {
		return err
	}
	if err := p.Cluster.MoveFields(ctx, resource, ref, live, fields); err != nil {
		return err
	}
	if err := p.allowed(); err != nil {
		return err
	}
	return p.Cluster.Apply(ctx, resource, ref, body, p.Parent.FieldManager())
}
