package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// returnDeleted are the kinds of which the answer to a deletion is the object as it was,
// as far as bundles have them.
var returnDeleted = map[storage]bool{
	{"", "serviceaccounts"}: true, {"", "services"}: true, {"", "pods"}: true, {"", "podtemplates"}: true,
	{"", "resourcequotas"}: true, {"", "persistentvolumes"}: true, {"", "persistentvolumeclaims"}: true,
	{"storage.k8s.io", "csidrivers"}: true, {"storage.k8s.io", "storageclasses"}: true,
	{"storage.k8s.io", "csinodes"}: true, {"storage.k8s.io", "volumeattachments"}: true,
}

// serveDelete answers a DELETE of one object.
func (c *Cluster) serveDelete(a *answer, q *request, r *resource) {
	body, release, refused := readBody(a, q)
	if refused != nil {
		a.status(refused)
		return
	}
	defer release()
	options := &metav1.DeleteOptions{}
	if len(body) > 0 {
		if err := json.Unmarshal(body, options); err != nil {
			a.status(statusOf(apierrors.NewBadRequest(err.Error())))
			return
		}
	}
	gone, o, err := c.delete(q, r, options)
	switch {
	case err != nil:
		a.status(statusOf(err))
	case gone && !returnDeleted[r.storage()]:
		a.status(c.deletedStatus(r, o))
	default:
		a.body(http.StatusOK, c.parts(r, o, formOf(q))...)
	}
}

func (c *Cluster) deletedStatus(r *resource, o *object) *metav1.Status {
	return &metav1.Status{Status: metav1.StatusSuccess, Details: &metav1.StatusDetails{
		Name: o.Name, Group: r.group, Kind: r.plural, UID: types.UID(c.uid(o)),
	}}
}

// delete deletes an object, or has it be deleted once its finalizers are gone.
func (c *Cluster) delete(q *request, r *resource, options *metav1.DeleteOptions) (gone bool, _ *object, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.get(r.storage(), q.key())
	if o == nil {
		return false, nil, apierrors.NewNotFound(r.groupResource(), q.name)
	}
	if err := c.checkPreconditions(r, o, options.Preconditions); err != nil {
		return false, nil, err
	}
	switch kept := o.finalizers || r.storage() == namespaces || r.storage() == definitions; {
	case len(options.DryRun) > 0 || q.URL.Query().Has("dryRun"):
		return !kept, o, nil
	case !kept:
		c.remove(r.storage(), o)
		return true, o, nil
	case o.deleted == 0:
		o = c.terminate(r, o)
	}
	return false, o, nil
}

func (c *Cluster) checkPreconditions(r *resource, o *object, preconditions *metav1.Preconditions) error {
	if preconditions == nil {
		return nil
	}
	kind := schema.GroupResource{Group: r.group, Resource: r.kind}
	if uid := preconditions.UID; uid != nil && string(*uid) != c.uid(o) {
		return apierrors.NewConflict(kind, o.Name, fmt.Errorf("the UID in the precondition (%s) does not match "+
			"the UID in record (%s). The object might have been deleted and then recreated", *uid, c.uid(o)))
	}
	revision := strconv.FormatUint(o.revision, 10)
	if wanted := preconditions.ResourceVersion; wanted != nil && *wanted != revision {
		return apierrors.NewConflict(kind, o.Name, fmt.Errorf("the ResourceVersion in the precondition (%s) does not match "+
			"the ResourceVersion in record (%s). The object might have been modified", *wanted, revision))
	}
	return nil
}

// terminate has an object be in deletion. The caller holds c.mu.
func (c *Cluster) terminate(r *resource, o *object) *object {
	made := c.fleet.deeds.get(deed{before: o.state, resource: r, what: "terminate"}, func() result {
		fields := o.fields(r)
		if metadata := childOf(fields, "metadata"); r.hasGeneration {
			metadata["generation"] = o.generation + 1
		}
		terminateSpecial(r, fields)
		return result{after: newState(r, o.state, fields)}
	})
	now := time.Now()
	c.revision++
	after := *o
	after.state, after.revision, after.deleted = made.after, c.revision, now.Unix()
	stored := c.replace(r.storage(), o, &after)
	c.react(r, stored)
	return stored
}

// serveDeleteCollection answers a DELETE of all objects that are selected.
func (c *Cluster) serveDeleteCollection(a *answer, q *request, r *resource) {
	of, err := selected(q)
	if err != nil {
		a.status(statusOf(err))
		return
	}
	page := c.page(r, of, nil, 0)
	for _, o := range page.objects {
		each := *q
		each.namespace, each.name = o.Namespace, o.Name
		_, _, _ = c.delete(&each, r, &metav1.DeleteOptions{}) // The only error is that it is gone.
	}
	a.body(http.StatusOK, c.listParts(r, page, formOf(q))...)
}
