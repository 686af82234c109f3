package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/fleet/outcome"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/fleet/remote"
)

// widths are how many clusters the load generator works on at once.
var widths = []int{4, 16, 64}

const (
	// crds is in the paths of the requests behind which the kinds of CRDs have to be served.
	crds = "/customresourcedefinitions/"
	// servedTime is what CRDs get until they are served, between the halves: nobody works
	// then, and it does not count.
	servedTime = 2 * time.Second
	// answerTime bounds one request.
	answerTime = time.Minute
	// differing is the share of answers that may differ from those that the manager got.
	differing = 0.02
)

// generateLoad sends what the manager sent to the first Cluster to clusters that have
// nothing, with one width after the other.
func (w *world) generateLoad(ctx context.Context) error {
	if len(w.recording) == 0 {
		return errors.New("nothing of the install was recorded")
	}
	of := w.layout.load.size() / len(widths)
	l := outcome.Load{PerCluster: len(w.recording)}
	for i, width := range widths {
		g := group{w.layout.load.from + i*of, w.layout.load.from + (i+1)*of}
		rate, err := w.replay(ctx, g, width)
		if err != nil {
			return err
		}
		w.detail("%3d clusters at once: %d requests in %.1f s, %.0f a second", width, rate.Requests, rate.Seconds, rate.PerSecond())
		l.Rates = append(l.Rates, rate)
	}
	w.result.Load = &l
	return nil
}

// replay sends the recording to each cluster of the group: to all of them the requests up to
// the last CRD, and then the others. Connecting counts.
func (w *world) replay(ctx context.Context, g group, width int) (outcome.Rate, error) {
	clients := make([]*target, 0, g.size())
	for i := g.from; i < g.to; i++ {
		t, err := newTarget(w.kubeconfigs[i])
		if err != nil {
			return outcome.Rate{}, err
		}
		defer t.client.CloseIdleConnections()
		clients = append(clients, t)
	}
	requests, err := unconditional(w.recording)
	if err != nil {
		return outcome.Rate{}, err
	}
	first, second := halves(requests)
	rate, other := outcome.Rate{Width: width}, &differences{}
	for i, requests := range [][]remote.Request{first, second} {
		if i > 0 {
			if err := pause(ctx, servedTime); err != nil {
				return rate, err
			}
		}
		started := time.Now()
		if err := sendAll(ctx, clients, requests, width, other); err != nil {
			return rate, err
		}
		rate.Seconds += time.Since(started).Seconds()
		rate.Requests += int64(len(requests) * len(clients))
	}
	return rate, other.check(rate.Requests)
}

// unconditional takes from updates which state they are for: that of the recorded cluster.
func unconditional(all []remote.Request) ([]remote.Request, error) {
	all = slices.Clone(all)
	for i, r := range all {
		if r.Method != http.MethodPut {
			continue
		}
		var u unstructured.Unstructured
		if err := json.Unmarshal(r.Body, &u.Object); err != nil {
			return nil, fmt.Errorf("recorded %s %s: %w", r.Method, r.Path, err)
		}
		u.SetResourceVersion("")
		u.SetUID("")
		encoded, err := json.Marshal(u.Object)
		if err != nil {
			return nil, err
		}
		all[i].Body = encoded
	}
	return all, nil
}

// halves splits the requests behind the last apply of a CRD.
func halves(all []remote.Request) (first, second []remote.Request) {
	last := 0
	for i, r := range all {
		if r.Method == http.MethodPatch && strings.Contains(r.Path, crds) {
			last = i + 1
		}
	}
	return all[:last], all[last:]
}

// pause waits, but not longer than ctx.
func pause(ctx context.Context, lasting time.Duration) error {
	timer := time.NewTimer(lasting)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func sendAll(ctx context.Context, to []*target, requests []remote.Request, width int, other *differences) error {
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(width)
	for _, t := range to {
		all.Go(func() error { return t.send(ctx, requests, other) })
	}
	return all.Wait()
}

// differences are answers that are others than the manager got.
type differences struct {
	mu    sync.Mutex
	count int64
	first string
}

func (d *differences) add(r remote.Request, status int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.count++; d.count == 1 {
		d.first = fmt.Sprintf("%d, not %d, to %s %s", status, r.Status, r.Method, r.Path)
	}
}

// check returns an error if there are too many for that number of requests.
func (d *differences) check(requests int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if share := float64(d.count) / float64(requests); share > differing {
		return fmt.Errorf("%.1f %% of the answers differ from those to the manager, so this is not its load; the first is %s",
			100*share, d.first)
	}
	return nil
}

// target is a cluster that the load generator works on.
type target struct {
	host   string
	client *http.Client
}

func newTarget(content []byte) (*target, error) {
	config, err := clientcmd.RESTConfigFromKubeConfig(content)
	if err != nil {
		return nil, err
	}
	config.Timeout = answerTime
	client, err := rest.HTTPClientFor(config)
	return &target{host: config.Host, client: client}, err
}

// send sends the requests one after the other, and counts the answers that are others than
// the manager got.
func (t *target) send(ctx context.Context, requests []remote.Request, other *differences) error {
	for _, r := range requests {
		status, err := t.sendOne(ctx, r)
		if err != nil {
			return fmt.Errorf("load generator: %s %s: %w", r.Method, r.Path, err)
		}
		// A watch starts where the recorded cluster was, which this one need not know.
		if !r.Watch && status != r.Status {
			other.add(r, status)
		}
	}
	return nil
}

func (t *target) sendOne(ctx context.Context, r remote.Request) (status int, err error) {
	ctx, cancel := context.WithCancel(ctx) // It ends a watch.
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.Method, t.host+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return 0, err
	}
	for name, value := range map[string]string{"Accept": r.Accept, "Content-Type": r.ContentType} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := t.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if !r.Watch {
		_, err = io.Copy(io.Discard, resp.Body)
	}
	return resp.StatusCode, err
}
