package workload

import (
	"context"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// Metadata reads the metadata of an object. It returns nil if the object does not
// exist, and also if its kind is not served.
//
// A pass reads it as a list of its name: that there is none is no failed request then,
// and the list has the revision that a watch can begin at. Who makes no pass may have no
// right to list.
func (c *Client) Metadata(
	ctx context.Context, resource manifest.Resource, ref manifest.Ref,
) (*metav1.PartialObjectMetadata, error) {
	if c.pass == nil {
		live := &metav1.PartialObjectMetadata{}
		err := c.get(ctx, acceptMetadata, live, path(resource, ref)...)
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return live, classify(ref, err)
	}
	page := &metav1.PartialObjectMetadataList{}
	if served, err := c.readNamed(ctx, resource, ref, acceptMetadataList, page); !served || err != nil {
		return nil, err
	}
	at := slices.IndexFunc(page.Items, func(o metav1.PartialObjectMetadata) bool { return o.Name == ref.Name })
	if at < 0 {
		c.saw().noteObject(resource, ref, page.ResourceVersion, nil)
		return nil, nil
	}
	c.saw().noteObject(resource, ref, page.ResourceVersion, &page.Items[at])
	return &page.Items[at], nil
}

// Object reads a whole object. It returns nil if the object does not exist, and
// also if its kind is not served.
//
// One of a built-in kind is read as Metadata reads it. Of a kind that an API server has
// just begun to serve it refuses lists (HTTP 429) until it has read all objects.
func (c *Client) Object(
	ctx context.Context, resource manifest.Resource, ref manifest.Ref,
) (*unstructured.Unstructured, error) {
	if _, ok := manifest.BuiltIn(ref.Group, ref.Version, ref.Kind); ok {
		return c.listedObject(ctx, resource, ref)
	}
	live := &unstructured.Unstructured{}
	err := c.get(ctx, acceptJSON, live, path(resource, ref)...)
	if apierrors.IsNotFound(err) {
		live, err = nil, nil
	}
	c.saw().noteRead(resource)
	return live, classify(ref, err)
}

func (c *Client) listedObject(
	ctx context.Context, resource manifest.Resource, ref manifest.Ref,
) (*unstructured.Unstructured, error) {
	page := &unstructured.UnstructuredList{}
	if served, err := c.readNamed(ctx, resource, ref, acceptJSON, page); !served || err != nil {
		return nil, err
	}
	at := slices.IndexFunc(page.Items, func(o unstructured.Unstructured) bool { return o.GetName() == ref.Name })
	if at >= 0 && page.Items[at].GetLabels()[inventory.IDLabel] != "" {
		c.saw().noteParent(&page.Items[at], page.GetResourceVersion())
		return &page.Items[at], nil
	}
	c.saw().noteObject(resource, ref, page.GetResourceVersion(), nil)
	if at < 0 {
		return nil, nil
	}
	return &page.Items[at], nil
}

// readNamed reads the list of the objects with a name, and reports whether their kind is
// served.
func (c *Client) readNamed(
	ctx context.Context, resource manifest.Resource, ref manifest.Ref, accept string, into any,
) (served bool, err error) {
	l := listing{resource: resource, name: ref.Name, accept: accept}
	if resource.Namespaced {
		l.namespace = ref.Namespace
	}
	err = c.getPage(ctx, l, "", into)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return true, classify(ref, err)
}
