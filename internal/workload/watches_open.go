package workload

import (
	"context"
	"io"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

// opener opens a watch that the server ends after the given time. The errors are
// those of apimachinery.
type opener func(context.Context, *Client, rollout.Target, time.Duration) (io.ReadCloser, error)

// openWatch opens a metadata-only watch of what happens from now on. It begins
// with no event for what is there: the caller looks itself, after this returned.
//
// A watch without a resource version, and one from "0", begins with a synthetic
// ADDED event for each object in the server's watch cache and nothing that tells
// them from news. With sendInitialEvents=false a watch from "0" begins at the
// revision that the cache has reached. That may be older than etcd's, but what
// the cache has still to learn it then sends, so nothing is lost; and no number
// is carried over from one stream to the next, which a restored etcd might not
// have reached yet. From "" the server would ask etcd for its revision first, without need. Servers have the
// feature gate WatchList for it, by default in 1.32 and from 1.34 on; others answer
// 422, and are asked for a revision to begin at.
func openWatch(
	ctx context.Context, c *Client, target rollout.Target, lasting time.Duration,
) (io.ReadCloser, error) {
	body, err := c.watch(target, lasting).
		Param("resourceVersion", "0").
		Param("resourceVersionMatch", string(metav1.ResourceVersionMatchNotOlderThan)).
		Param("sendInitialEvents", "false").
		Stream(ctx)
	if !apierrors.IsInvalid(err) {
		return body, err
	}
	from, err := c.revision(ctx, target)
	if err != nil {
		return nil, err
	}
	return c.watch(target, lasting).Param("resourceVersion", from).Stream(ctx)
}

// watch returns the request for a watch that has yet to be told where to begin.
func (c *Client) watch(target rollout.Target, lasting time.Duration) *rest.Request {
	return c.selected(target).
		SetHeader("Accept", acceptMetadata).
		Param("watch", "true").
		Param("timeoutSeconds", strconv.Itoa(int(lasting.Seconds())))
}

// revision returns the current resource version of a list. It reads at most one
// object.
func (c *Client) revision(ctx context.Context, target rollout.Target) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	body, err := answer(c.selected(target).SetHeader("Accept", acceptMetadataList).Param("limit", "1").Do(ctx))
	if err != nil {
		return "", err
	}
	list := &metav1.PartialObjectMetadataList{}
	err = decode(body, list)
	return list.ResourceVersion, err
}

// selected returns a request for the objects of a target.
func (c *Client) selected(target rollout.Target) *rest.Request {
	segments := groupVersionPath(target.Resource.Group, target.Resource.Version)
	if target.Namespace != "" {
		segments = append(segments, "namespaces", target.Namespace)
	}
	request := c.rest.Get().AbsPath(append(segments, target.Resource.Plural)...).MaxRetries(0)
	if target.Label != "" {
		request.Param("labelSelector", target.Label)
	}
	if target.Name != "" {
		request.Param("fieldSelector", fields.OneTermEqualSelector(metav1.ObjectNameField, target.Name).String())
	}
	return request
}
