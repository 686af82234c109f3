package workload

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// changedRetry is when to look again at an object that changed after it was read.
// That is no failure and needs no back-off.
const changedRetry = time.Second

// MoveFields gives a live object other managed fields, such as those of
// inventory.TakeOverFields, and changes nothing else of it. If the object is no
// longer as it was read, or is gone, nothing is written, and the error is a
// fault.Wait of one second with inventory.ErrChanged in its chain.
func (c *Client) MoveFields(
	ctx context.Context, resource manifest.Resource, ref manifest.Ref,
	live *metav1.PartialObjectMetadata, entries []metav1.ManagedFieldsEntry,
) error {
	patch, err := fieldsPatch(live.ResourceVersion, entries)
	if err != nil {
		return fault.Retry(v1alpha1.InternalErrorReason, fmt.Errorf("%s: managed fields: %w", ref, err))
	}
	err = c.send(ctx, c.rest.Patch(types.JSONPatchType).
		AbsPath(path(resource, ref)...).
		Param("fieldManager", inventory.FieldManager).
		SetHeader("Accept", acceptMetadata).
		Body(patch), nil)
	if isChanged(err) {
		return changed(ref)
	}
	return classify(ref, err)
}

// changed returns the error of a write that was not done since the object is not
// as it was read, or made, by another writer.
func changed(ref manifest.Ref) error {
	return fault.Wait(v1alpha1.ApplyFailedReason, changedRetry, fmt.Errorf("%s: %w", ref, inventory.ErrChanged))
}

// operation is one operation of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// fieldsPatch returns the JSON patch that sets the managed fields of the object
// with the resource version. Writing the version makes the API server compare it
// and answer 409; where the operation "test" fails, it answers 422, as to a patch
// that is wrong. "add" is "replace" that works, too, if nothing is there.
func fieldsPatch(resourceVersion string, entries []metav1.ManagedFieldsEntry) ([]byte, error) {
	return json.Marshal([]operation{
		{Op: "add", Path: "/metadata/managedFields", Value: entries},
		{Op: "replace", Path: "/metadata/resourceVersion", Value: resourceVersion},
	})
}

// isChanged reports whether err is the answer for an object that is not as it was
// read, or not there any more.
func isChanged(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsNotFound(err) && !kindNotServed(err)
}
