package simulator

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"
)

// apply returns the result of a server-side apply to an object in a state, nil for none.
func apply(r *resource, subresource string, before *state, key types.NamespacedName, sent *sentObject, manager string, force bool) result {
	managers, err := r.manager(subresource)
	if err != nil {
		return result{refused: internalError(err)}
	}
	live := &unstructured.Unstructured{Object: r.empty()}
	if before != nil {
		live.Object = before.fields(r)
	}
	applied, err := managers.Apply(live, &unstructured.Unstructured{Object: clone(sent.fields)}, manager, force)
	if err != nil {
		return result{refused: statusOf(err)}
	}
	fields := applied.(*unstructured.Unstructured).Object
	childOf(fields, "metadata")["name"] = key.Name
	if key.Namespace != "" {
		childOf(fields, "metadata")["namespace"] = key.Namespace
	}
	return finish(r, subresource, before, fields)
}

// update returns the result of a write that has the whole object, as a client sent it
// or a patch made it.
func update(r *resource, subresource string, before *state, next map[string]any, manager string) result {
	fields, err := r.manager(subresource)
	if err != nil {
		return result{refused: internalError(err)}
	}
	live := &unstructured.Unstructured{Object: r.empty()}
	if before != nil {
		live.Object = before.fields(r)
		identify(live.Object, next)
	}
	r.keep(subresource, live.Object, next)
	merged := fields.UpdateNoErrors(live, &unstructured.Unstructured{Object: next}, manager)
	return finish(r, subresource, before, merged.(*unstructured.Unstructured).Object)
}

// identify gives an object that is written what it has in common with the live one.
func identify(live, next map[string]any) {
	metadata, ok := next["metadata"].(map[string]any)
	if !ok {
		metadata = map[string]any{}
		next["metadata"] = metadata
	}
	for _, field := range own {
		delete(metadata, field)
	}
	for _, field := range []string{"uid", "name", "namespace"} {
		setOrDelete(metadata, field, childOf(live, "metadata")[field])
	}
}

func (r *resource) manager(subresource string) (fieldManager, error) {
	if subresource == "status" {
		return r.status()
	}
	return r.main()
}

// empty are the fields of an object that does not exist.
func (r *resource) empty() map[string]any {
	return map[string]any{"kind": r.kind, "apiVersion": r.groupVersion().String()}
}

// keep gives an object that is written what the write does not change: the status, or
// all but that.
func (r *resource) keep(subresource string, live, next map[string]any) {
	switch {
	case subresource == "status":
		status, managed := next["status"], childOf(next, "metadata")["managedFields"]
		clear(next)
		maps.Copy(next, clone(live))
		setOrDelete(next, "status", status)
		setOrDelete(childOf(next, "metadata"), "managedFields", managed)
	case r.hasStatus:
		setOrDelete(next, "status", live["status"])
	}
}

func setOrDelete(fields map[string]any, name string, value any) {
	if value == nil {
		delete(fields, name)
		return
	}
	fields[name] = value
}

// finish completes an object as an API server does behind its fields' manager.
func finish(r *resource, subresource string, before *state, next map[string]any) result {
	metadata := childOf(next, "metadata")
	if r.storage() == definitions {
		dropFalse(childOf(next, "spec"), "preserveUnknownFields")
	}
	if before == nil {
		r.begin(next)
	} else {
		live := before.fields(r)
		childOf(live, "metadata")["uid"] = metadata["uid"]
		setOrDelete(metadata, "generation", childOf(live, "metadata")["generation"])
		if equalButTimes(live, next) {
			return result{after: before}
		}
		if subresource == "" && r.hasGeneration && !equalSpecs(live, next) {
			metadata["generation"] = before.generation + 1
		}
	}
	return result{after: newState(r, before, next)}
}

// dropFalse drops a field that is false, and which an API server then does not store.
func dropFalse(fields map[string]any, name string) {
	if fields[name] == false {
		delete(fields, name)
	}
}

// begin completes a new object.
func (r *resource) begin(fields map[string]any) {
	metadata := childOf(fields, "metadata")
	delete(metadata, "generation")
	if r.hasGeneration {
		metadata["generation"] = int64(1)
	}
	if r.hasStatus {
		delete(fields, "status")
	}
	switch r.storage() {
	case namespaces:
		beginNamespace(fields)
	case definitions:
		beginDefinition(fields)
	}
}

// equalButTimes reports whether two objects are the same but for the times of their
// managed fields.
func equalButTimes(a, b map[string]any) bool {
	return reflect.DeepEqual(withoutTimes(a), withoutTimes(b))
}

// withoutTimes returns the fields of an object without the times of its managed fields,
// and without a creation time.
func withoutTimes(fields map[string]any) map[string]any {
	metadata := map[string]any{}
	maps.Copy(metadata, childOf(fields, "metadata"))
	for _, field := range own[1:] {
		delete(metadata, field)
	}
	entries, _ := metadata["managedFields"].([]any)
	timeless := make([]any, len(entries))
	for i, entry := range entries {
		kept := map[string]any{}
		for key, value := range entry.(map[string]any) {
			if key != "time" {
				kept[key] = value
			}
		}
		timeless[i] = kept
	}
	metadata["managedFields"] = timeless
	copied := maps.Clone(fields)
	copied["metadata"] = metadata
	return copied
}

// equalSpecs reports whether two objects are the same but for metadata and status.
func equalSpecs(a, b map[string]any) bool {
	without := func(fields map[string]any) map[string]any {
		kept := map[string]any{}
		for key, value := range fields {
			if key != "metadata" && key != "status" {
				kept[key] = value
			}
		}
		return kept
	}
	return reflect.DeepEqual(without(a), without(b))
}

// patched returns an object behind a patch that is no apply.
func patched(r *resource, kind types.PatchType, live, patch []byte) (map[string]any, *metav1.Status) {
	content, err := patchedJSON(r, kind, live, patch)
	if err != nil {
		return nil, statusOf(err)
	}
	var fields map[string]any
	if err := utiljson.Unmarshal(content, &fields); err != nil {
		return nil, statusOf(apierrors.NewBadRequest(err.Error()))
	}
	return fields, nil
}

func patchedJSON(r *resource, kind types.PatchType, live, patch []byte) ([]byte, error) {
	if err := json.Unmarshal(patch, new(any)); err != nil {
		return nil, apierrors.NewBadRequest("error decoding patch: " + err.Error())
	}
	switch kind {
	case types.JSONPatchType:
		return jsonPatched(live, patch)
	case types.MergePatchType:
		content, err := jsonpatch.MergePatch(live, patch)
		if err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		return content, nil
	default:
		return strategicPatched(r, live, patch)
	}
}

// strategicPatched is for a patch that knows the lists of a kind.
func strategicPatched(r *resource, live, patch []byte) ([]byte, error) {
	object, err := scheme.Scheme.New(r.groupVersion().WithKind(r.kind))
	if err != nil {
		return nil, notStrategic()
	}
	content, err := strategicpatch.StrategicMergePatch(live, patch, object)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return content, nil
}

// jsonPatched is for RFC 6902: a patch that is none, or too large, is refused as bad, and
// one that cannot be carried out as invalid.
func jsonPatched(live, patch []byte) ([]byte, error) {
	var operations jsonpatch.Patch
	if err := json.Unmarshal(patch, &operations); err != nil {
		return nil, apierrors.NewBadRequest("error decoding patch: " + err.Error())
	}
	content, err := operations.Apply(live)
	if err != nil {
		return nil, apierrors.NewGenericServerResponse(
			http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", err.Error(), 0, false)
	}
	return content, nil
}

// notStrategic is the answer to a strategic merge patch of a kind that has no Go type.
func notStrategic() error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnsupportedMediaType, Reason: metav1.StatusReasonUnsupportedMediaType,
		Message: "the body of the request was in an unknown format - accepted media types include: " +
			"application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
	}}
}

// unsupported is the answer to a patch of a kind that is not known.
func unsupported() error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnsupportedMediaType, Reason: metav1.StatusReasonUnsupportedMediaType,
		Message: "415: Unsupported Media Type", Details: &metav1.StatusDetails{},
	}}
}
