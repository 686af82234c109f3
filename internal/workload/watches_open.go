package workload

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

// opener opens a watch that the server ends after the given time.
type opener func(context.Context, *Client, rollout.Target, time.Duration) (watch.Interface, error)

// openWatch opens a metadata-only watch of what happens from now on. It begins
// with no event for what is there: the caller looks itself, after this returned.
//
// A watch without a resource version, and one from "0", begins with a synthetic
// ADDED event for each object in the server's watch cache and nothing that tells
// them from news. With sendInitialEvents=false a watch from "0" begins at the
// revision that the cache has reached. That may be older than etcd's, but what
// the cache has still to learn it then sends, so nothing is lost; and no number
// is carried over from one stream to the next, which a restored etcd might not
// have reached yet. From "" the server would ask etcd for its revision first,
// without need. Servers have the feature gate WatchList for it, by default in
// 1.32 and from 1.34 on; others answer 422, and are asked for a revision to begin
// at.
func openWatch(
	ctx context.Context, c *Client, target rollout.Target, lasting time.Duration,
) (watch.Interface, error) {
	resource := c.metadata.Resource(schema.GroupVersionResource{
		Group: target.Resource.Group, Version: target.Resource.Version, Resource: target.Resource.Plural,
	}).Namespace(target.Namespace)
	options := metav1.ListOptions{LabelSelector: target.Label}
	if target.Name != "" {
		options.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, target.Name).String()
	}
	fromNow := options
	fromNow.TimeoutSeconds = new(int64(lasting.Seconds()))
	fromNow.ResourceVersion, fromNow.ResourceVersionMatch = "0", metav1.ResourceVersionMatchNotOlderThan
	fromNow.SendInitialEvents = new(false)
	events, err := resource.Watch(ctx, fromNow)
	if !apierrors.IsInvalid(err) {
		return events, err
	}
	if options.ResourceVersion, err = revision(ctx, resource, options); err != nil {
		return nil, err
	}
	options.TimeoutSeconds = fromNow.TimeoutSeconds
	return resource.Watch(ctx, options)
}

// revision returns the current resource version of a list. It reads at most one
// object.
func revision(ctx context.Context, resource metadata.ResourceInterface, options metav1.ListOptions) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	options.Limit = 1
	list, err := resource.List(ctx, options)
	if err != nil {
		return "", err
	}
	return list.ResourceVersion, nil
}
