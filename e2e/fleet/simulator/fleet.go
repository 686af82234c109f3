package simulator

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options are those of a fleet. Only Clusters is required.
type Options struct {
	// Clusters is how many there are.
	Clusters int
	// Port of all clusters. 0: any that is free.
	Port int
	// Kubernetes is the version that they report. Default: v1.36.3.
	Kubernetes string
	// EstablishAfter is how long after its creation a CustomResourceDefinition is
	// Established. Default: 100 ms.
	EstablishAfter time.Duration
	// ServeAfter is how long after that its kinds are served. Default: 100 ms.
	ServeAfter time.Duration
	// ReadyAfter is how long after it was written a Deployment, a DaemonSet or a
	// StatefulSet becomes available and a Job completes. Default: 1 s.
	ReadyAfter time.Duration
	// History is how many of its last changes a cluster knows: a watch from before
	// them is answered that the resource version is too old. Default: 1000.
	History int
	// Around may put a handler around that of all clusters, which knows them by ClusterOf.
	Around func(http.Handler) http.Handler
}

const (
	defaultKubernetes = "v1.36.3"
	defaultHistory    = 1000

	// headerTimeout bounds the time in which a client has to send a request's header.
	headerTimeout = 30 * time.Second
)

func (o Options) withDefaults() Options {
	o.Kubernetes = cmp.Or(o.Kubernetes, defaultKubernetes)
	o.EstablishAfter = cmp.Or(o.EstablishAfter, 100*time.Millisecond)
	o.ServeAfter = cmp.Or(o.ServeAfter, 100*time.Millisecond)
	o.ReadyAfter = cmp.Or(o.ReadyAfter, time.Second)
	o.History = cmp.Or(o.History, defaultHistory)
	return o
}

// Fleet is a number of simulated workload clusters.
type Fleet struct {
	options   Options
	port      int
	authority *authority
	tokens    string // the beginning of the tokens of all clusters
	identity  string // the beginning of the UIDs
	clusters  []*Cluster
	clock     *clock
	deeds     memo[deed, result]
	received  memo[digest, *sentObject]
	faults    atomic.Pointer[[]*rule]

	server  *http.Server
	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// Start starts a fleet, which runs until Stop is called or ctx is done. What the
// machine cannot do is an error before anything starts: see check.
func Start(ctx context.Context, options Options) (*Fleet, error) {
	f, err := newFleet(options.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("fleet simulator: %w", err)
	}
	listener, err := listen(ctx, f.options.Port)
	if err != nil {
		return nil, fmt.Errorf("fleet simulator: %w", err)
	}
	f.port = listener.Addr().(*net.TCPAddr).Port
	f.serve(ctx, listener)
	return f, nil
}

func newFleet(o Options) (*Fleet, error) {
	if err := check(o); err != nil {
		return nil, err
	}
	f := &Fleet{options: o, tokens: newToken(), identity: newIdentity(), clock: newClock()}
	var err error
	if f.authority, err = newAuthority(); err != nil {
		return nil, err
	}
	f.clusters = make([]*Cluster, o.Clusters)
	for i := range f.clusters {
		f.clusters[i] = &Cluster{fleet: f, index: i}
	}
	return f, nil
}

// serve starts the server.
func (f *Fleet) serve(ctx context.Context, listener net.Listener) {
	ctx, f.stop = context.WithCancel(ctx)
	f.server = &http.Server{
		Handler: f.handler(), TLSConfig: f.authority.tlsConfig(), ReadHeaderTimeout: headerTimeout,
		ErrorLog:    log.New(panics{os.Stderr}, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, clusterKey{}, f.at(c.LocalAddr()))
		},
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams, MaxReadFrameSize: maxFrame,
			MaxReceiveBufferPerStream: maxFrame, MaxReceiveBufferPerConnection: maxFrame * maxStreams,
		},
	}
	f.stopped.Go(func() {
		_ = f.server.ServeTLS(connections{listener, f}, "", "") // It ends by Close.
	})
	f.stopped.Go(func() { f.clock.run(ctx) })
	f.stopped.Go(func() {
		<-ctx.Done()
		_ = f.server.Close() // Nothing is to be saved.
	})
}

// panics passes on what a server logs of panics. It also logs connections that break,
// which is done on purpose here.
type panics struct{ to io.Writer }

// Write writes one message.
func (p panics) Write(message []byte) (int, error) {
	if !bytes.Contains(message, []byte("panic serving")) {
		return len(message), nil
	}
	return p.to.Write(message)
}

// clusterKey is the key of the cluster in the context of a connection.
type clusterKey struct{}

// As k8s.io/apiserver has it: how many requests and watches a client may have open at
// once, and how much it may send of a body in one piece. A client holds a buffer of that.
const (
	maxStreams = 100
	maxFrame   = 256 << 10
)

// Stop ends all connections and returns when nothing runs any more but requests that
// are under way. It may be called twice.
func (f *Fleet) Stop() {
	f.stop()
	f.stopped.Wait()
}

// Len returns how many clusters there are.
func (f *Fleet) Len() int { return len(f.clusters) }

// Cluster returns one of the clusters, counted from 0.
func (f *Fleet) Cluster(i int) *Cluster { return f.clusters[i] }

// Counters returns the sum of the counters of all clusters.
func (f *Fleet) Counters() Counters {
	sum := newCounters()
	for _, c := range f.clusters {
		sum.add(c.Counters())
	}
	return sum
}

// SetFaults replaces the faults of all clusters, behind which those of a cluster
// itself come first. None ends them.
func (f *Fleet) SetFaults(faults ...Fault) { setRules(&f.faults, faults) }

func setRules(to *atomic.Pointer[[]*rule], faults []Fault) {
	rules := make([]*rule, len(faults))
	for i, fault := range slices.Clone(faults) {
		rules[i] = &rule{Fault: fault}
	}
	to.Store(&rules)
}
