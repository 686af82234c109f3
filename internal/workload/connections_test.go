package workload

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/cluster-api/controllers/clustercache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// configs are the connections of a ClusterCache.
type configs map[client.ObjectKey]*rest.Config

// GetRESTConfig returns what is there, or what a ClusterCache says.
func (c configs) GetRESTConfig(_ context.Context, cluster client.ObjectKey) (*rest.Config, error) {
	cfg, ok := c[cluster]
	if !ok {
		return nil, fmt.Errorf("error getting REST config: %w", clustercache.ErrClusterNotConnected)
	}
	if cfg == nil {
		return nil, errors.New("out of order")
	}
	return cfg, nil
}

var (
	berlin = client.ObjectKey{Namespace: "fleet", Name: "berlin"}
	paris  = client.ObjectKey{Namespace: "fleet", Name: "paris"}
)

func mustConnect(t testing.TB, c *Connections, cluster client.ObjectKey) *Client {
	t.Helper()
	connected, err := c.Client(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	return connected
}

func TestAConnectionHasOneClient(t *testing.T) {
	t.Parallel()
	cache := configs{berlin: {Host: "https://example.com"}, paris: {Host: "https://example.com"}}
	connections := NewConnections(cache)
	first := mustConnect(t, connections, berlin)
	var asked sync.WaitGroup
	for range 10 {
		asked.Go(func() {
			if again, err := connections.Client(t.Context(), berlin); again != first || err != nil {
				t.Errorf("want the same client for the same connection, got %v", err)
			}
		})
	}
	asked.Wait()
	if mustConnect(t, connections, paris) == first {
		t.Error("want another client for another cluster")
	}

	cache[berlin] = rest.CopyConfig(cache[berlin])
	second := mustConnect(t, connections, berlin)
	if second == first {
		t.Error("want another client for a new connection")
	}
	if mustConnect(t, connections, berlin) != second {
		t.Error("want the new client kept")
	}
}

func TestAClusterThatIsNotConnectedIsWaitedFor(t *testing.T) {
	t.Parallel()
	cfg := &rest.Config{Host: "https://example.com"}
	cache := configs{berlin: cfg}
	connections := NewConnections(cache)
	before := mustConnect(t, connections, berlin)

	delete(cache, berlin)
	_, err := connections.Client(t.Context(), berlin)
	faulttest.Want(t, err, fault.ClassWait, v1alpha1.ClusterNotConnectedReason, "not connected")
	if !errors.Is(err, ErrNotConnected) {
		t.Errorf("want ErrNotConnected, got %v", err)
	}
	if got := fault.AfterOf(err); got != 0 {
		t.Errorf("want the ClusterCache to tell, got a timer of %v", got)
	}
	_, err = connections.Version(t.Context(), berlin)
	faulttest.Want(t, err, fault.ClassWait, v1alpha1.ClusterNotConnectedReason)

	cache[berlin] = cfg
	if mustConnect(t, connections, berlin) == before {
		t.Error("want the client of the ended connection forgotten")
	}
}

func TestOtherTroubleWithAConnectionIsAnError(t *testing.T) {
	t.Parallel()
	bad := &rest.Config{Host: "https://example.com", TLSClientConfig: rest.TLSClientConfig{CAData: []byte("bad")}}
	connections := NewConnections(configs{berlin: nil, paris: bad})
	for cluster, want := range map[client.ObjectKey]string{berlin: "out of order", paris: "HTTP client"} {
		_, err := connections.Client(t.Context(), cluster)
		if err == nil || fault.ClassOf(err) != fault.ClassRetry || !strings.Contains(err.Error(), "connection: "+want) {
			t.Errorf("%s: want an error that names %q, got %v", cluster, want, err)
		}
	}
}

func TestTheVersionOfACluster(t *testing.T) {
	t.Parallel()
	connections := NewConnections(configs{berlin: testenv.SharedWorkload(t).Config})
	if got, err := connections.Version(t.Context(), berlin); err != nil || !strings.HasPrefix(got, "v1.") {
		t.Errorf("want a version as in v1.36.3, got %q, %v", got, err)
	}
}
