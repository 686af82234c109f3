package clusterbundle

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

// connectionsTo returns connections to workload clusters, once they are there. Of their
// versions nothing is known yet.
func connectionsTo(t *testing.T, configs map[client.ObjectKey]*rest.Config) *workload.Connections {
	t.Helper()
	byName := make(map[string]*rest.Config, len(configs))
	c := workload.NewConnections(t.Context(), workload.ConnectionOptions{
		ConfigOf:    func(kubeconfig []byte) (*rest.Config, error) { return greeted(byName[string(kubeconfig)]) },
		Concurrency: 2,
	})
	there := make(chan client.ObjectKey, len(configs))
	c.Subscribe(func(cluster client.ObjectKey) { there <- cluster })
	for cluster, cfg := range configs {
		byName[cluster.String()] = cfg
	}
	for cluster := range configs {
		c.Connect(cluster, []byte(cluster.String()), time.Time{})
	}
	for range configs {
		if _, err := c.Client(<-there); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// greeted returns a configuration with which the first request is answered at once, by
// an API server of which nobody knows the version.
func greeted(cfg *rest.Config) (*rest.Config, error) {
	transport, err := rest.TransportFor(cfg)
	if err != nil {
		return nil, err
	}
	return &rest.Config{Host: cfg.Host, Transport: &greeting{next: transport}}, nil
}

type greeting struct {
	next http.RoundTripper
	done atomic.Bool
}

func (g *greeting) RoundTrip(r *http.Request) (*http.Response, error) {
	if g.done.Swap(true) {
		return g.next.RoundTrip(r)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"gitVersion":"none that is known"}`)),
	}, nil
}
