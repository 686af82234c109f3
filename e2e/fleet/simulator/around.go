package simulator

import "net/http"

// handler returns what answers requests.
func (f *Fleet) handler() http.Handler {
	if f.options.Around == nil {
		return f
	}
	return f.options.Around(f)
}

// ClusterOf returns which cluster a request came to, counted from 0.
func ClusterOf(r *http.Request) (index int, ok bool) {
	c, ok := r.Context().Value(clusterKey{}).(*Cluster)
	if !ok || c == nil {
		return 0, false
	}
	return c.index, true
}
