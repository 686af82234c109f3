package rollout

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// applyLive applies an object that exists. If the API server does not accept it, and
// a field of the live object may be why, it is applied again without that field.
func (p *pass) applyLive(ctx context.Context, at located, body []byte) (*metav1.PartialObjectMetadata, error) {
	live, err := p.Cluster.Apply(ctx, at.resource, at.ref, body, p.Parent.FieldManager())
	if fault.ReasonOf(err, "") != v1alpha1.ObjectInvalidReason {
		return live, err
	}
	field := manifest.RuledOut(at.ref, body)
	if field == nil {
		return nil, err
	}
	return p.applyWithout(ctx, at, body, field)
}

// applyWithout applies an object again after the set has claimed a field that the
// object does not have: the apply then removes it. Nobody owns what an API server
// set by default, so no apply does that by itself.
func (p *pass) applyWithout(
	ctx context.Context, at located, body []byte, field []string,
) (*metav1.PartialObjectMetadata, error) {
	us := p.Parent.FieldManager()
	live, err := p.Cluster.Metadata(ctx, at.resource, at.ref)
	if err != nil {
		return nil, err
	}
	if live == nil {
		return p.Cluster.Create(ctx, at.resource, at.ref, body, us)
	}
	version := schema.GroupVersion{Group: at.ref.Group, Version: at.ref.Version}.String()
	fields, err := inventory.ClaimField(live.ManagedFields, us, version, field)
	if err != nil {
		return nil, fault.Retry(v1alpha1.ApplyFailedReason, fmt.Errorf("%s: managed fields: %w", at.ref, err))
	}
	if err := p.allowed(); err != nil {
		return nil, err
	}
	if err := p.Cluster.MoveFields(ctx, at.resource, at.ref, live, fields); err != nil {
		return nil, err
	}
	if err := p.allowed(); err != nil {
		return nil, err
	}
	return p.Cluster.Apply(ctx, at.resource, at.ref, body, us)
}
