package workload

import (
	"context"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

// opener opens a watch of what happened behind a resource version, or of what
// happens from now on if that is empty, that the server ends after the given time.
// The errors are those of apimachinery.
type opener func(
	ctx context.Context, c *Client, target rollout.Target, from string, lasting time.Duration,
) (*frames, error)

// openWatch opens a metadata-only watch. One of what happens from now on begins at
// the revision of a list of one object, and so with no event for what is there: the
// caller looks itself, after this returned.
//
// Without a resource version, or from "0", a server begins with a synthetic ADDED
// event for each object in its watch cache and nothing that tells them from news.
// With sendInitialEvents=false it does not, but nobody learns where it began: there
// is no bookmark of that revision, so a stream in which nothing happens could not go
// on where it ended.
//
// Bookmarks come every minute and two seconds before the end, if anything happened
// to the kind. A server that no longer knows what happened since a resource version
// reports that as the first event.
func openWatch(
	ctx context.Context, c *Client, target rollout.Target, from string, lasting time.Duration,
) (_ *frames, err error) {
	if from == "" {
		if from, err = c.revision(ctx, target); err != nil {
			return nil, err
		}
	}
	request := c.all(target).
		SetHeader("Accept", acceptMetadata).
		Param("watch", "true").
		Param("resourceVersion", from).
		Param("allowWatchBookmarks", "true").
		Param("timeoutSeconds", strconv.Itoa(int(lasting.Seconds())))
	if target.Label != "" {
		request.Param("labelSelector", target.Label)
	}
	if target.Name != "" {
		request.Param("fieldSelector", fields.OneTermEqualSelector(metav1.ObjectNameField, target.Name).String())
	}
	body, err := request.Stream(ctx)
	if err != nil {
		return nil, err
	}
	return newFrames(body, from), nil
}

// revision returns the current resource version of a kind. It reads at most one
// object: any, since a server searches long for one that a selector selects.
func (c *Client) revision(ctx context.Context, target rollout.Target) (string, error) {
	list := &metav1.PartialObjectMetadataList{}
	err := c.send(ctx, c.all(target).SetHeader("Accept", acceptMetadataList).Param("limit", "1"), list)
	return list.ResourceVersion, err
}

// all returns a request for the objects of a target's kind.
func (c *Client) all(target rollout.Target) *rest.Request {
	segments := groupVersionPath(target.Resource.Group, target.Resource.Version)
	if target.Namespace != "" {
		segments = append(segments, "namespaces", target.Namespace)
	}
	return c.rest.Get().AbsPath(append(segments, target.Resource.Plural)...).MaxRetries(0)
}
