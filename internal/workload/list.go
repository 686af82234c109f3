package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

const (
	// acceptMetadataList asks for the metadata of the objects of a list only.
	acceptMetadataList = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"

	// pageSize is how many objects one answer holds.
	pageSize = 500

	// maxPages bounds a list, of a million objects in the usual pages: a server may
	// never end one.
	maxPages = 2_000
)

// List calls each with the metadata of every object of a kind that a label
// selector, if there is one, selects, in a namespace or, if that is empty, in all of
// them. A kind that is not served has none. Objects that change while several pages
// are read may be missing or listed as they were.
func (c *Client) List(
	ctx context.Context, resource manifest.Resource, namespace, label string, each func(*metav1.PartialObjectMetadata),
) error {
	l := listing{resource: resource, namespace: namespace, label: label, accept: acceptMetadataList, limit: pageSize}
	return pages(ctx, c, l, func(page *metav1.PartialObjectMetadataList) {
		c.saw().noteList(resource, page.ResourceVersion, page.Items)
		for i := range page.Items {
			each(&page.Items[i])
		}
	})
}

// Objects calls each with every whole object of a kind that a label selector
// selects, otherwise as List does.
func (c *Client) Objects(
	ctx context.Context, resource manifest.Resource, namespace, label string, each func(*unstructured.Unstructured),
) error {
	l := listing{resource: resource, namespace: namespace, label: label, accept: acceptJSON, limit: pageSize}
	return pages(ctx, c, l, func(page *unstructured.UnstructuredList) {
		c.saw().noteList(resource, page.GetResourceVersion(), nil)
		for i := range page.Items {
			each(&page.Items[i])
		}
	})
}

// listing is what is listed, and as what.
type listing struct {
	resource         manifest.Resource
	namespace, label string
	name             string // of the one object; empty for all
	accept           string
	limit            int // of objects in one answer; 0 for none
}

// pages calls each with all pages of a list. A kind that is not served has none. If
// an answer is too large, fewer objects are asked for at once.
func pages[T any, P interface {
	*T
	metav1.ListInterface
}](ctx context.Context, c *Client, l listing, each func(P)) error {
	token := ""
	for range maxPages {
		page := P(new(T))
		err := c.getPage(ctx, l, token, page)
		switch {
		case errors.Is(err, errTooLarge) && l.limit > 1:
			l.limit = max(1, l.limit/8)
			continue
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return failed("list of "+l.resource.Plural, false, err)
		}
		each(page)
		if token = page.GetContinue(); token == "" {
			return nil
		}
	}
	return fault.Retry(v1alpha1.ApplyFailedReason, fmt.Errorf("list of %s: it has more than %d pages", l.resource.Plural, maxPages))
}

func (c *Client) getPage(ctx context.Context, l listing, token string, into any) error {
	segments := groupVersionPath(l.resource.Group, l.resource.Version)
	if l.namespace != "" {
		segments = append(segments, "namespaces", l.namespace)
	}
	request := c.rest.Get().AbsPath(append(segments, l.resource.Plural)...).
		SetHeader("Accept", l.accept)
	if l.limit > 0 {
		request = request.Param("limit", strconv.Itoa(l.limit))
	}
	if l.name != "" {
		request = request.Param("fieldSelector", fields.OneTermEqualSelector(metav1.ObjectNameField, l.name).String())
	}
	if token != "" {
		request = request.Param("continue", token)
	}
	if l.label != "" {
		request = request.Param("labelSelector", l.label)
	}
	return c.send(ctx, request, into)
}

// SaveParent creates the parent of an inventory, or replaces the one with the
// resource version that it has, and returns it as it is stored. If another writer
// was faster, the error is inventory.ErrChanged in a fault.Wait.
func (c *Client) SaveParent(ctx context.Context, parent *corev1.ConfigMap) (*corev1.ConfigMap, error) {
	ref := manifest.Ref{Version: "v1", Kind: "ConfigMap", Namespace: parent.Namespace, Name: parent.Name}
	body, err := json.Marshal(parent)
	if err != nil {
		return nil, failed(ref.String(), false, err)
	}
	segments := []string{"api", "v1", "namespaces", parent.Namespace, "configmaps"}
	request := c.rest.Post().AbsPath(segments...)
	if parent.ResourceVersion != "" {
		request = c.rest.Verb(http.MethodPut).AbsPath(append(segments, parent.Name)...)
	}
	stored := &corev1.ConfigMap{}
	err = c.sendAnyway(ctx, request.Param("fieldManager", inventory.FieldManager).
		SetHeader("Accept", acceptJSON).SetHeader("Content-Type", acceptJSON).Body(body), stored)
	if isConflict(err, parent.ResourceVersion) {
		return nil, changed(ref)
	}
	if err != nil {
		return nil, classify(ref, err)
	}
	c.saw().noteParent(stored, stored.ResourceVersion)
	return stored, nil
}

// isConflict reports whether a write of an object failed since it is no longer
// the one that was read; without a resource version, since it exists.
func isConflict(err error, resourceVersion string) bool {
	if resourceVersion == "" {
		return apierrors.IsAlreadyExists(err)
	}
	return apierrors.IsConflict(err) || apierrors.IsNotFound(err)
}

var _ rollout.Lister = (*Client)(nil)
