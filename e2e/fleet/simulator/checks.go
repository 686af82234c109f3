package simulator

import (
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// checkSent returns why an object that a client sent is not for the object at the path.
func (c *Cluster) checkSent(q *request, r *resource, live *object, sent *sentObject) error {
	if err := checkPlace(q, sent); err != nil {
		return err
	}
	switch {
	case live == nil && sent.uid != "":
		return apierrors.NewConflict(r.groupResource(), q.name, fmt.Errorf(
			"uid mismatch: the provided object specified uid %s, and no existing object was found", sent.uid))
	case live == nil:
		return nil
	case sent.uid != "" && sent.uid != c.uid(live):
		return c.otherUID(q, r, live, sent)
	case sent.revision != "" && sent.revision != "0" && sent.revision != strconv.FormatUint(live.revision, 10):
		return modified(r, q.name)
	}
	return nil
}

// checkPlace returns why an object that a client sent is not for the path.
func checkPlace(q *request, sent *sentObject) error {
	if sent.name != "" && sent.name != q.name {
		return apierrors.NewBadRequest(fmt.Sprintf(
			"the name of the object (%s) does not match the name on the URL (%s)", sent.name, q.name))
	}
	if sent.namespace != "" && sent.namespace != q.namespace {
		return apierrors.NewBadRequest("the namespace of the provided object does not match the namespace sent on the request")
	}
	return nil
}

// otherUID is the answer to who writes an object that has another UID.
func (c *Cluster) otherUID(q *request, r *resource, live *object, sent *sentObject) error {
	if q.verb == "update" {
		return apierrors.NewConflict(r.groupResource(), q.name, fmt.Errorf(
			"StorageError: invalid object, Code: 4, Key: /registry/%s/%s, ResourceVersion: 0, AdditionalErrorMsg: "+
				"Precondition failed: UID in precondition: %s, UID in object meta: %s", r.plural, live.NamespacedName, sent.uid, c.uid(live)))
	}
	immutable := field.Invalid(field.NewPath("metadata", "uid"), sent.uid, "field is immutable")
	return apierrors.NewInvalid(schema.GroupKind{Group: r.group, Kind: r.kind}, q.name, field.ErrorList{immutable, immutable})
}

// modified is the answer to who read an object before somebody else wrote it.
func modified(r *resource, name string) error {
	return apierrors.NewConflict(r.groupResource(), name, fmt.Errorf(
		"the object has been modified; please apply your changes to the latest version and try again"))
}

// checkNamespace returns why nothing new can be in a namespace.
func (c *Cluster) checkNamespace(q *request, r *resource) error {
	if !r.namespaced {
		return nil
	}
	namespace := c.get(namespaces, types.NamespacedName{Name: q.namespace})
	switch {
	case namespace == nil:
		return apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, q.namespace)
	case namespace.deleted != 0:
		return terminating(r, q)
	}
	return nil
}

// terminating is the answer to who makes an object in a namespace that goes.
func terminating(r *resource, q *request) error {
	err := apierrors.NewForbidden(r.groupResource(), q.name, fmt.Errorf(
		"unable to create new content in namespace %s because it is being terminated", q.namespace))
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{
		Type:    corev1.NamespaceTerminatingCause,
		Message: fmt.Sprintf("namespace %s is being terminated", q.namespace), Field: "metadata.namespace",
	})
	return err
}
