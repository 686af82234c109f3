package workload

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

const (
	// acceptMetadataList asks for the metadata of the objects of a list only.
	acceptMetadataList = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"

	// pageSize is how many objects one answer holds.
	pageSize = 500
)

// List calls each with the metadata of every object of a kind that a label
// selector, if there is one, selects, in a namespace or, if that is empty, in all of
// them. A kind that is not served has none. Objects that change while several pages
// are read may be missing or listed as they were.
func (c *Client) List(
	ctx context.Context, resource manifest.Resource, namespace, label string, each func(*metav1.PartialObjectMetadata),
) error {
	l := listing{resource: resource, namespace: namespace, label: label, accept: acceptMetadataList}
	return pages(ctx, c, l, func(page *metav1.PartialObjectMetadataList) {
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
	l := listing{resource: resource, namespace: namespace, label: label, accept: acceptJSON}
	return pages(ctx, c, l, func(page *unstructured.UnstructuredList) {
		for i := range page.Items {
			each(&page.Items[i])
		}
	})
}

// listing is what is listed, and as what.
type listing struct {
	resource         manifest.Resource
	namespace, label string
	accept           string
}

// pages calls each with all pages of a list. A kind that is not served has none.
func pages[T any, P interface {
	*T
	metav1.ListInterface
}](ctx context.Context, c *Client, l listing, each func(P)) error {
	token := ""
	for {
		page := P(new(T))
		err := c.getPage(ctx, l, token, page)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return failed("list of "+l.resource.Plural, false, err)
		}
		each(page)
		if token = page.GetContinue(); token == "" {
			return nil
		}
	}
}

func (c *Client) getPage(ctx context.Context, l listing, token string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	segments := groupVersionPath(l.resource.Group, l.resource.Version)
	if l.namespace != "" {
		segments = append(segments, "namespaces", l.namespace)
	}
	request := c.rest.Get().AbsPath(append(segments, l.resource.Plural)...).
		SetHeader("Accept", l.accept).MaxRetries(0).Param("limit", strconv.Itoa(pageSize))
	if token != "" {
		request = request.Param("continue", token)
	}
	if l.label != "" {
		request = request.Param("labelSelector", l.label)
	}
	body, err := answer(request.Do(ctx))
	if err != nil {
		return err
	}
	return decode(body, into)
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
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	segments := []string{"api", "v1", "namespaces", parent.Namespace, "configmaps"}
	request := c.rest.Post().AbsPath(segments...)
	if parent.ResourceVersion != "" {
		request = c.rest.Verb(http.MethodPut).AbsPath(append(segments, parent.Name)...)
	}
	stored, err := answer(request.Param("fieldManager", inventory.FieldManager).
		SetHeader("Accept", acceptJSON).SetHeader("Content-Type", acceptJSON).MaxRetries(0).Body(body).Do(ctx))
	if isConflict(err, parent.ResourceVersion) {
		return nil, changed(ref)
	}
	if err != nil {
		return nil, classify(ref, err)
	}
	read := &corev1.ConfigMap{}
	return read, classify(ref, decode(stored, read))
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
