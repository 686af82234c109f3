package simulator

import (
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ServeHTTP answers a request to the cluster that its connection belongs to.
func (f *Fleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	cluster, ok := r.Context().Value(clusterKey{}).(*Cluster)
	if !ok {
		http.NotFound(w, r)
		return
	}
	cluster.serve(w, parse(r))
}

func (c *Cluster) serve(w http.ResponseWriter, q *request) {
	kind := q.counted()
	c.seen.request(kind)
	a := &answer{ResponseWriter: w, cluster: c}
	defer a.count()
	if q.Header.Get("Authorization") != "Bearer "+c.token() {
		a.status(&metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusUnauthorized,
			Reason: metav1.StatusReasonUnauthorized, Message: "Unauthorized",
		})
		return
	}
	if fault := c.faultFor(kind); fault != nil && fault.happen(q.Context(), a) {
		return
	}
	c.dispatch(a, q)
}

// dispatch answers a request of the cluster's user.
func (c *Cluster) dispatch(a *answer, q *request) {
	c.prepare()
	if q.path != "" {
		c.servePath(a, q)
		return
	}
	r, refused := c.resourceOf(q)
	switch {
	case refused != nil:
		a.status(refused)
		return
	case r == nil:
		a.notFoundPage()
		return
	}
	if serve := verbs[q.verb]; serve != nil {
		serve(c, a, q, r)
		return
	}
	a.status(statusOf(notAllowed()))
}

// verbs are what can be done with a resource.
var verbs = map[string]func(*Cluster, *answer, *request, *resource){
	"get": (*Cluster).serveGet, "list": (*Cluster).serveList, "watch": (*Cluster).serveWatch,
	"create": (*Cluster).serveCreate, "update": (*Cluster).serveUpdate, "patch": (*Cluster).servePatch,
	"delete": (*Cluster).serveDelete, "deletecollection": (*Cluster).serveDeleteCollection,
}

// resourceOf returns the resource that a request is for, or why it is refused; neither
// for one that would be custom.
func (c *Cluster) resourceOf(q *request) (*resource, *metav1.Status) {
	r := theBuiltIns().resources[schema.GroupVersionResource{Group: q.group, Version: q.version, Resource: q.plural}]
	if r == nil {
		c.mu.Lock()
		r = c.find(q.group, q.version, q.plural)
		c.mu.Unlock()
	}
	switch {
	case r == nil && !theBuiltIns().groups[q.group]:
		return nil, nil
	case r == nil || !r.hasPath(q):
		return nil, statusOf(pathNotFound())
	case !r.isStored || !hasMethod(q):
		return nil, statusOf(notAllowed())
	}
	return r, nil
}

// hasPath reports whether a resource has the subresource and the scope of a path.
func (r *resource) hasPath(q *request) bool {
	if q.sub != "" {
		return q.sub == "status" && r.hasStatus
	}
	return !r.namespaced || q.namespace != "" || q.name == "" && q.verb != "create"
}

// hasMethod reports whether the path of an object, or that of all objects, has the
// method.
func hasMethod(q *request) bool {
	switch q.verb {
	case "create":
		return q.name == ""
	case "update", "patch":
		return q.name != ""
	}
	return true
}

// notAllowed is the answer for a method that a path does not have.
func notAllowed() error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusMethodNotAllowed, Reason: metav1.StatusReasonMethodNotAllowed,
		Message: "the server does not allow this method on the requested resource", Details: &metav1.StatusDetails{},
	}}
}

// pathNotFound is the answer for a path of no resource.
func pathNotFound() error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound,
		Message: "the server could not find the requested resource", Details: &metav1.StatusDetails{},
	}}
}
