package simulator

import (
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	if q.path == "/version" {
		a.json(http.StatusOK, c.fleet.version())
		return
	}
	a.notFoundPage()
}
