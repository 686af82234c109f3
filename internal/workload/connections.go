package workload

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/slots"
)

// ErrNotConnected is in the error for a workload cluster to which there is no connection.
var ErrNotConnected = errors.New("the workload cluster is not connected: its API server cannot be reached yet")

// ConnectionOptions are the options of NewConnections. All but Inside are required.
type ConnectionOptions struct {
	// ConfigOf returns the configuration that a kubeconfig makes. Its error quotes
	// nothing of it.
	ConfigOf func(kubeconfig []byte) (*rest.Config, error)
	// Concurrency is how many workload clusters are connected at once. Those of one
	// namespace are at most half of them.
	Concurrency int
	// Inside is the cluster that the manager runs in; nil if it does not know.
	Inside *Inside
}

// Connections keeps a connection to each workload cluster that is to be connected, and
// hands out its Client. One is opened by a request for the version, stays open, and is
// opened again as soon as it is lost.
type Connections struct {
	configOf func(kubeconfig []byte) (*rest.Config, error)
	inside   *Inside
	// ctx ends what is under way.
	ctx context.Context //nolint:containedctx // that of the manager, which outlives every call
	// attempts to connect.
	attempts *slots.Slots
	// subscribers are called with a workload cluster of which something changed.
	subscribers []func(client.ObjectKey)

	places *places
	silent silences

	// mu is never held during a request. It guards the connections, too.
	mu        sync.Mutex
	byCluster map[client.ObjectKey]*connection
}

// NewConnections returns connections that end with ctx.
func NewConnections(ctx context.Context, options ConnectionOptions) *Connections {
	c := &Connections{
		configOf: options.ConfigOf, inside: options.Inside, ctx: ctx,
		attempts: slots.New(max(1, options.Concurrency/2), options.Concurrency),
		places:   newPlaces(), byCluster: make(map[client.ObjectKey]*connection),
	}
	context.AfterFunc(ctx, c.endAll)
	return c
}

// Subscribe has changed called with a workload cluster that is connected, by another
// kubeconfig perhaps, or no longer, or still not for another reason, and with one whose
// Kubernetes version is another than before on the same connection: an upgrade has no
// event of its own. It must be called before the first Connect.
func (c *Connections) Subscribe(changed func(cluster client.ObjectKey)) {
	c.subscribers = append(c.subscribers, changed)
}

func (c *Connections) tell(cluster client.ObjectKey) {
	for _, changed := range c.subscribers {
		changed(cluster)
	}
}

// Connect has a workload cluster connected from now on, with its kubeconfig, which is
// not changed any more. Its control plane was initialized at that time; it is zero if
// nobody knows. It returns at once. A call with the same kubeconfig changes nothing; one
// with another has it take the place of the one before, whose connection is closed once
// the new one is there.
func (c *Connections) Connect(cluster client.ObjectKey, kubeconfig []byte, initialized time.Time) {
	sum := sha256.Sum256(kubeconfig)
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.byCluster[cluster]
	if known == nil {
		known = &connection{of: c, cluster: cluster}
		known.ctx, known.cancel = context.WithCancel(c.ctx)
		c.byCluster[cluster] = known
		clusters.WithLabelValues(disconnected).Inc()
	}
	known.initialized = initialized
	if known.target == nil || known.target.sum != sum {
		known.aim(&target{sum: sum, kubeconfig: kubeconfig})
	}
}

// Disconnect closes the connection to a workload cluster, which is not to be connected
// any more.
func (c *Connections) Disconnect(cluster client.ObjectKey) {
	c.mu.Lock()
	known := c.byCluster[cluster]
	delete(c.byCluster, cluster)
	wasConnected := known != nil && known.end()
	c.mu.Unlock()
	if wasConnected {
		c.tell(cluster)
	}
}

func (c *Connections) endAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, known := range c.byCluster {
		known.end()
	}
	clear(c.byCluster)
}

// Client returns the client of a workload cluster. For one that is not connected
// the error is ErrNotConnected, with the reason as far as it is known, in a fault.Wait
// without a time: the subscribers learn of the connection.
func (c *Connections) Client(cluster client.ObjectKey) (*Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, err := c.byCluster[cluster], ErrNotConnected
	switch {
	case known != nil && known.client != nil:
		return known.client, nil
	case known != nil && known.why != "":
		err = fmt.Errorf("%w: %s", err, known.why)
	}
	return nil, fault.Wait(v1alpha1.ClusterNotConnectedReason, 0, err)
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
	connected, err := c.Client(cluster)
	if err != nil {
		return release.Settled{Version: known}, err
	}
	version, err := connected.Version(ctx, c.ttl(cluster, known))
	if err != nil {
		return release.Settled{Version: known}, err
	}
	reading, changed := c.note(cluster, connected, version)
	if changed {
		c.tell(cluster)
	}
	return release.Settle(known, reading), nil
}

// ttl is how old a version may be: while it differs from the known one, it must be
// seen when it changes back.
func (c *Connections) ttl(cluster client.ObjectKey, known string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := c.byCluster[cluster]
	if of != nil && known != "" && of.reading.Version != "" && of.reading.Version != known {
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
	known := c.byCluster[cluster]
	if known == nil || known.client != connected {
		return release.Reading{}.Add(version, time.Now()), false
	}
	return known.reading, known.read(version)
}

// Silence reports whether the API server of a workload cluster did not answer a request
// in time within the last ten minutes, and whether that of one in its namespace did not.
func (c *Connections) Silence(cluster client.ObjectKey) (own, neighbour bool) {
	return c.silent.of(cluster)
}
