package simulator

import (
	"net/http"
	"testing"

	"k8s.io/client-go/rest"
)

func TestAHandlerAroundKnowsTheClusterOfARequest(t *testing.T) {
	t.Parallel()
	asked := make(chan int, 1)
	f, err := Start(t.Context(), Options{Clusters: 3, Around: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			index, ok := ClusterOf(r)
			if !ok {
				index = -1
			}
			asked <- index
			next.ServeHTTP(w, r)
		})
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	client, err := rest.HTTPClientFor(f.Cluster(2).Config())
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(get(t, f.Cluster(2).Config().Host+"/version"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := <-asked; got != 2 || resp.StatusCode != http.StatusOK {
		t.Errorf("the request to cluster 2 was seen as one to %d and answered with %s", got, resp.Status)
	}
}
