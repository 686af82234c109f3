package workload

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// clusters has no label for each Cluster: there may be thousands.
var clusters = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "caapb_workload_clusters",
	Help: "Workload clusters that are to be connected, by whether they are.",
}, []string{"state"})

// The states of a workload cluster that is to be connected.
const connected, disconnected = "connected", "disconnected"

func init() { metrics.Registry.MustRegister(clusters) }

func stateOf(isConnected bool) string {
	if isConnected {
		return connected
	}
	return disconnected
}

// use hands out another client; nil for none.
func (c *connection) use(other *Client) {
	clusters.WithLabelValues(stateOf(c.client != nil)).Dec()
	clusters.WithLabelValues(stateOf(other != nil)).Inc()
	c.client = other
}

// finish notes how an attempt ended, and reports whether that is news.
func (c *connection) finish(at *target, version string, err error) (isNews bool) {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.trying = false
	if c.target != at { // it was made with a kubeconfig that is gone
		c.tryIn(0)
		return false
	}
	if err != nil {
		return c.failed(at, err)
	}
	isNews = c.succeeded(at, version)
	if !at.client.isOpen() {
		c.probeAgain()
	}
	return isNews
}

// succeeded notes that a target was reached, and reports whether that is news.
func (c *connection) succeeded(at *target, version string) (isNews bool) {
	if time.Since(c.reached) >= steadyTime {
		c.closed = 0
	}
	c.reached, c.failures, c.failing, c.why = time.Now(), 0, time.Time{}, ""
	if c.client == at.client {
		return version != "" && c.read(version)
	}
	if c.client != nil {
		c.client.end()
	}
	c.use(at.client)
	c.reading = release.Reading{}
	if version != "" {
		c.read(version)
	}
	return true
}

// read adds a version to what was read, and reports whether it was another before.
func (c *connection) read(version string) (changed bool) {
	before := c.reading.Version
	c.reading = c.reading.Add(version, time.Now())
	return before != "" && before != version
}

// failed notes that a target was not reached, and reports whether that is news. What
// cannot be used is not tried again.
func (c *connection) failed(at *target, err error) (isNews bool) {
	if c.failing.IsZero() {
		c.failing = time.Now()
	}
	c.failures++
	if at.err == nil {
		after := c.retry()
		if c.client != nil && time.Since(c.failing) < grace {
			c.tryIn(min(after, graceRetry))
			return false
		}
		c.tryIn(after)
		at.client.cut()
	}
	wasConnected, before := c.client != nil, c.why
	if c.why = whyNotReached(err); at.err != nil {
		c.why = text.Line(at.err.Error(), maxWhy)
	}
	if wasConnected {
		if c.client != at.client {
			c.client.end()
		}
		c.use(nil)
	}
	return wasConnected || c.why != before
}

// retry is the time to the next attempt after one that failed.
func (c *connection) retry() time.Duration {
	if time.Since(c.initialized) < newFor {
		return newRetry
	}
	return backOff(c.failures)
}

// maxWhy bounds the reason for which there is no connection, in bytes.
const maxWhy = 300

// whyNotReached returns for people why an attempt failed. It is the same whenever the
// reason is, and repeats nothing that the server says.
func whyNotReached(err error) string {
	if answer, ok := status(err); ok {
		return fmt.Sprintf("it answers GET /version with HTTP %d%s", answer.Code, meaning(answer.Code))
	}
	if isUnanswered(err) {
		return "it does not answer within " + probeTime.String()
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the kubeconfig does not have the authority of its certificate"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "its certificate is for another name than that of the kubeconfig"
	}
	return text.Line(stable(err).Error(), maxWhy)
}

// meaning returns what the status of an answer to a probe says about the kubeconfig.
func meaning(code int32) string {
	switch code {
	case http.StatusUnauthorized:
		return ", so it does not know the user of the kubeconfig"
	case http.StatusForbidden:
		return ", so the user of the kubeconfig may not read its version"
	default:
		return ""
	}
}
