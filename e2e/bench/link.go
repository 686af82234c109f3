package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// The slow link: what a site behind a bad line has. The time is that of a round trip, half
// of it each way.
const (
	linkBitsPerSecond = 1_000_000
	linkRoundTrip     = 150 * time.Millisecond
	// linkChunk is what is sent at once: 5 ms of the link.
	linkChunk = 640
	// linkQueue is how many chunks are under way at most, as in the buffers of a line.
	linkQueue = 256
)

// link relays TCP connections to an address with that rate, each way, and that delay. All
// connections share the rate.
type link struct {
	listener net.Listener
	target   string
	cancel   context.CancelFunc
	done     sync.WaitGroup
	up, down *lane

	kubeconfig []byte
	config     *rest.Config
}

// startLink relays to the API server of the config.
func startLink(config *rest.Config, kubeconfig []byte) (*link, error) {
	server, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It does not resolve a name.
	if err != nil {
		return nil, err
	}
	l := &link{listener: listener, target: server.Host, up: &lane{}, down: &lane{}, config: rest.CopyConfig(config)}
	l.config.Host = "https://" + listener.Addr().String()
	if l.kubeconfig, err = withServer(kubeconfig, l.config.Host); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.done.Go(func() { l.accept(ctx) })
	return l, nil
}

// withServer returns the kubeconfig with another address.
func withServer(kubeconfig []byte, server string) ([]byte, error) {
	config, err := clientcmd.Load(kubeconfig)
	if err != nil {
		return nil, err
	}
	for _, cluster := range config.Clusters {
		cluster.Server = server
	}
	return clientcmd.Write(*config)
}

// Kubeconfig leads over the link.
func (l *link) Kubeconfig() []byte { return l.kubeconfig }

func (l *link) stop() {
	l.cancel()
	_ = l.listener.Close() // It was open.
	l.done.Wait()
}

func (l *link) accept(ctx context.Context) {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return // It was closed.
		}
		l.done.Go(func() { l.relay(ctx, client) })
	}
}

// relay ends when either side does, or the link is stopped.
func (l *link) relay(ctx context.Context, client net.Conn) {
	defer func() { _ = client.Close() }() // A relay has nothing left to write.
	server, err := new(net.Dialer).DialContext(ctx, "tcp", l.target)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(ctx, func() { _, _ = client.Close(), server.Close() })
	var both sync.WaitGroup
	both.Go(func() { defer cancel(); l.up.carry(ctx, server, client) })
	both.Go(func() { defer cancel(); l.down.carry(ctx, client, server) })
	both.Wait()
}

// lane is one direction: what it is busy with until then.
type lane struct {
	mu   sync.Mutex
	free time.Time
}

// chunk arrives at a time.
type chunk struct {
	bytes []byte
	at    time.Time
}

// carry reads, and writes each chunk when it arrives.
func (l *lane) carry(ctx context.Context, to io.Writer, from io.Reader) {
	queue := make(chan chunk, linkQueue)
	var writer sync.WaitGroup
	writer.Go(func() { write(ctx, to, queue) })
	defer writer.Wait()
	defer close(queue)
	for {
		buffer := make([]byte, linkChunk)
		n, err := from.Read(buffer)
		if n > 0 {
			select {
			case queue <- chunk{buffer[:n], l.arrival(n, time.Now())}:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// arrival takes the lane for n bytes, and returns when they are at its end.
func (l *lane) arrival(n int, now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(n) * 8 * time.Second / linkBitsPerSecond)
	return l.free.Add(linkRoundTrip / 2)
}

func write(ctx context.Context, to io.Writer, queue <-chan chunk) {
	for c := range queue {
		timer := time.NewTimer(time.Until(c.at))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		if _, err := to.Write(c.bytes); err != nil {
			return
		}
	}
}

// linkText describes the link.
func linkText() string {
	return fmt.Sprintf("%d Mbit/s, %d ms", linkBitsPerSecond/1_000_000, linkRoundTrip.Milliseconds())
}
