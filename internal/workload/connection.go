package workload

import (
	"context"
	"crypto/sha256"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

const (
	// probeTime bounds one attempt to connect.
	probeTime = 5 * time.Second

	// slotTime is how long an attempt counts as one of those that are made at once. One
	// that takes longer only waits: many servers that do not answer delay nobody.
	slotTime = time.Second

	// newFor is how long a control plane counts as new. Its load balancer may not have
	// its API server yet, or lose it again, so it is tried again after newRetry.
	newFor   = time.Minute
	newRetry = 2 * time.Second

	// The time to the next attempt doubles with each that failed, and differs by a fifth.
	firstRetry  = 2 * time.Second
	lastRetry   = 30 * time.Second
	retryJitter = 0.2

	// grace is how long a workload cluster counts as connected though it cannot be
	// reached: an API server may restart. It is tried at least every graceRetry meanwhile.
	grace      = 50 * time.Second
	graceRetry = 10 * time.Second

	// steadyTime is how long a connection lasts that is opened again at once when it is
	// closed. A server that closes each has to wait as one that cannot be reached.
	steadyTime = time.Minute
)

// target is where a kubeconfig leads.
type target struct {
	sum [sha256.Size]byte
	// kubeconfig is nil once it was used.
	kubeconfig []byte
	// client is made by the first attempt, and err says why there is none. Only the one
	// attempt that is under way changes them.
	client *Client
	err    error
	// inside is how the target may be reached from inside; nil when that was tried.
	inside *rest.Config
}

// connection is what is known of one workload cluster. Connections.mu guards it.
type connection struct {
	of      *Connections
	cluster client.ObjectKey
	ctx     context.Context //nolint:containedctx // it ends with the connection
	cancel  context.CancelFunc
	// initialized is when the control plane was.
	initialized time.Time

	// target is where to connect to.
	target *target
	// client is the one that is handed out; nil while there is no connection. It is that
	// of the target, or of the one before while the target was not reached.
	client *Client
	// why there is no connection; empty if nobody knows.
	why string
	// reading of the version.
	reading release.Reading

	// trying is true while an attempt is under way; next is the one to come.
	trying bool
	next   *time.Timer
	// failures since the last attempt that succeeded, at reached; failing since.
	failures         int
	reached, failing time.Time
	// closed is how many connections in a row did not last.
	closed int
}

// aim has another target reached.
func (c *connection) aim(at *target) {
	if old := c.target; old != nil && old.client != nil && old.client != c.client {
		old.client.end()
	}
	c.target, c.failures, c.failing, c.closed = at, 0, time.Time{}, 0
	c.tryIn(0)
}

// end ends everything, and reports whether there was a connection.
func (c *connection) end() (wasConnected bool) {
	c.cancel()
	if c.next != nil {
		c.next.Stop()
	}
	wasConnected = c.client != nil
	clusters.WithLabelValues(stateOf(wasConnected)).Dec()
	for _, used := range []*Client{c.client, c.target.client} {
		if used != nil {
			used.end()
		}
	}
	c.client = nil
	return wasConnected
}

// tryIn has an attempt made after a time, and no other before.
func (c *connection) tryIn(after time.Duration) {
	if c.next != nil {
		c.next.Stop()
	}
	c.next = time.AfterFunc(after, c.try)
}

// try makes an attempt, unless one is under way.
func (c *connection) try() {
	at := c.begin()
	if at == nil {
		return
	}
	version, err := c.reach(at)
	if c.ctx.Err() == nil && c.finish(at, version, err) {
		c.of.tell(c.cluster)
	}
}

// begin returns the target of an attempt, nil for none.
func (c *connection) begin() *target {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.trying || c.ctx.Err() != nil {
		return nil
	}
	c.trying, c.next = true, nil
	return c.target
}

// reach probes a target.
func (c *connection) reach(at *target) (version string, err error) {
	free, err := c.of.attempts.Acquire(c.ctx, c.cluster.Namespace)
	if err != nil {
		return "", err
	}
	defer free()
	defer time.AfterFunc(slotTime, free).Stop()
	if at.client == nil {
		c.prepare(at)
	}
	if at.err != nil {
		return "", at.err
	}
	version, err = at.client.probe(c.ctx, probeTime)
	if err == nil && at.inside != nil {
		version = c.moveInside(at, version)
	}
	return version, err
}

// prepare makes the client of a target.
func (c *connection) prepare(at *target) {
	cfg, err := c.of.configOf(at.kubeconfig)
	var made *Client
	if err == nil {
		made, err = clientFor(cfg, c.of.places.of(c.cluster.Namespace), c.eventsOf(at))
	}
	if err == nil {
		at.inside = c.of.inside.configFor(cfg)
	}
	c.equip(at, made, err)
}

// equip gives a target a client in place of the one that it has, or the reason for which
// there is none.
func (c *connection) equip(at *target, made *Client, err error) {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if at.client != nil {
		at.client.end()
	}
	at.kubeconfig, at.client, at.err = nil, made, err
	if made != nil && (c.ctx.Err() != nil || c.target != at) {
		made.end()
	}
}

// eventsOf returns what has the client of a target looked at.
func (c *connection) eventsOf(at *target) clientEvents {
	doubt := func() { c.doubt(at) }
	return clientEvents{
		silence: func() {
			c.of.silent.note(c.cluster)
			doubt()
		},
		refused: doubt,
		lost:    doubt,
	}
}

// doubt has a target probed that may no longer be reached.
func (c *connection) doubt(at *target) {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.ctx.Err() == nil && c.target == at && c.client == at.client && !c.trying && c.next == nil {
		c.probeAgain()
	}
}

// probeAgain has a connection probed that was there: at once if it lasted.
func (c *connection) probeAgain() {
	if time.Since(c.reached) >= steadyTime {
		c.closed = 0
	}
	after := time.Duration(0)
	if c.closed > 0 {
		after = backOff(c.closed)
	}
	c.closed++
	c.tryIn(after)
}

// backOff returns the time to the attempt that follows so many.
func backOff(attempts int) time.Duration {
	after := firstRetry
	for range attempts - 1 {
		after = min(2*after, lastRetry)
	}
	return wait.Jitter(after, retryJitter)
}
