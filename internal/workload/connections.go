package workload

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/cluster-api/controllers/clustercache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
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

	mu      sync.Mutex
	clients map[client.ObjectKey]connection
}

// connection is a client and the configuration that it was made from, whose
// address is the identity of a connection of the ClusterCache.
type connection struct {
	cfg    *rest.Config
	client *Client
	// version that was last read; empty for none.
	version string
}

// NewConnections returns the connections of a ClusterCache.
func NewConnections(configs restConfigs) *Connections {
	return &Connections{configs: configs, clients: make(map[client.ObjectKey]connection)}
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
	made, err := NewClient(cfg)
	if err != nil {
		return nil, fmt.Errorf("connection: %w", err)
	}
	c.clients[cluster] = connection{cfg: cfg, client: made}
	return made, nil
}

// Version returns the Kubernetes version of a workload cluster. It waits until the
// subscribers know of a version that changed. Errors are those of Client and of
// Client.Version.
func (c *Connections) Version(ctx context.Context, cluster client.ObjectKey) (string, error) {
	connected, err := c.Client(ctx, cluster)
	if err != nil {
		return "", err
	}
	version, err := connected.Version(ctx)
	if err != nil {
		return "", err
	}
	if c.changed(cluster, connected, version) {
		for _, changed := range c.subscribers {
			changed(cluster)
		}
	}
	return version, nil
}

// changed notes the version of a workload cluster, and reports whether it was
// another before.
func (c *Connections) changed(cluster client.ObjectKey, connected *Client, version string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.clients[cluster]
	if known.client != connected {
		return false
	}
	before := known.version
	known.version = version
	c.clients[cluster] = known
	return before != "" && before != version
}

// Forget drops the client of a workload cluster. Call it when the Cluster is gone.
func (c *Connections) Forget(cluster client.ObjectKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.clients, cluster)
}
