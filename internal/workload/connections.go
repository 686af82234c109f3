package workload

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/cluster-api/controllers/clustercache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

// ErrNotConnected is in the error for a workload cluster to which the ClusterCache
// has no connection.
var ErrNotConnected = errors.New("the workload cluster is not connected: its API server cannot be reached yet")

// restConfigs is the part of CAPI's ClusterCache that connections come from.
type restConfigs interface {
	GetRESTConfig(ctx context.Context, cluster client.ObjectKey) (*rest.Config, error)
}

var _ restConfigs = (clustercache.ClusterCache)(nil)

// Connections hands out the Client of each connected workload cluster. There
// is one for each connection of CAPI's ClusterCache, which opens, checks and
// closes them, and renews them when a kubeconfig changes.
type Connections struct {
	configs restConfigs
	// subscribers are called with a workload cluster whose version changed.
	subscribers []func(client.ObjectKey)

	places *places
	silent silences

	mu      sync.Mutex
	clients map[client.ObjectKey]connection
}

// connection is a client and the configuration that it was made from, whose
// address is the identity of a connection of the ClusterCache.
type connection struct {
	cfg    *rest.Config
	client *Client
	// reading of the version.
	reading release.Reading
}

// NewConnections returns the connections of a ClusterCache.
func NewConnections(configs restConfigs) *Connections {
	return &Connections{configs: configs, places: newPlaces(), clients: make(map[client.ObjectKey]connection)}
}

// Subscribe has changed called with a workload cluster for which Version found
// another Kubernetes version than before on the same connection: an upgrade has no
// event of its own. It must be called before the first Version.
func (c *Connections) Subscribe(changed func(cluster client.ObjectKey)) {
	c.subscribers = append(c.subscribers, changed)
}

// Client returns the client of a workload cluster. For one that is not connected
// the error is ErrNotConnected in a fault.Wait without a time: the ClusterCache's
// source reports the connection.
func (c *Connections) Client(ctx context.Context, cluster client.ObjectKey) (*Client, error) {
	cfg, err := c.configs.GetRESTConfig(ctx, cluster)
	if err != nil {
		c.Forget(cluster)
		if errors.Is(err, clustercache.ErrClusterNotConnected) {
			return nil, fault.Wait(v1alpha1.ClusterNotConnectedReason, 0, ErrNotConnected)
		}
		return nil, fmt.Errorf("connection: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.clients[cluster]; known.cfg == cfg {
		return known.client, nil
	}
	made, err := clientFor(cfg, c.places.of(cluster.Namespace), func() { c.silent.note(cluster) })
	if err != nil {
		return nil, fmt.Errorf("connection: %w", err)
	}
	c.clients[cluster] = connection{cfg: cfg, client: made}
	return made, nil
}

// Version returns the Kubernetes version of a workload cluster to choose a release
// by, where known is the one by which the last release was chosen: see
// release.Settle. It is read again when it is older than five minutes, and than 15
// seconds while it differs from the known one. Version waits until the subscribers
// know of a version that changed. With an error, which is one of Client or of
// Client.Version, the version is the known one.
func (c *Connections) Version(
	ctx context.Context, cluster client.ObjectKey, known string,
) (release.Settled, error) {
	connected, err := c.Client(ctx, cluster)
	if err != nil {
		return release.Settled{Version: known}, err
	}
	version, err := connected.Version(ctx, c.ttl(cluster, known))
	if err != nil {
		return release.Settled{Version: known}, err
	}
	reading, changed := c.note(cluster, connected, version)
	if changed {
		for _, changed := range c.subscribers {
			changed(cluster)
		}
	}
	return release.Settle(known, reading), nil
}

// ttl is how old a version may be: while it differs from the known one, it must be
// seen when it changes back.
func (c *Connections) ttl(cluster client.ObjectKey, known string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before := c.clients[cluster].reading.Version; known != "" && before != "" && before != known {
		return settlingTTL
	}
	return versionTTL
}

// note adds the version of a workload cluster to what was read of it, and reports
// whether it was another before.
func (c *Connections) note(
	cluster client.ObjectKey, connected *Client, version string,
) (reading release.Reading, changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.clients[cluster]
	if known.client != connected {
		return release.Reading{}.Add(version, time.Now()), false
	}
	before := known.reading.Version
	known.reading = known.reading.Add(version, time.Now())
	c.clients[cluster] = known
	return known.reading, before != "" && before != version
}

// Silence reports whether the API server of a workload cluster did not answer a request
// in time within the last ten minutes, and whether that of one in its namespace did not.
func (c *Connections) Silence(cluster client.ObjectKey) (own, neighbour bool) {
	return c.silent.of(cluster)
}

// Forget drops the client of a workload cluster. Call it when the Cluster is gone.
func (c *Connections) Forget(cluster client.ObjectKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.clients, cluster)
}
