package oci

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"oras.land/oras-go/v2/registry"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// Mirrors that sent unusable bytes come last for a while.
const (
	mirrorPenalty = 5 * time.Minute
	maxPenalties  = 1000
)

// endpoint is where a repository is served: by its registry or by a mirror.
type endpoint struct {
	ref    registry.Reference
	plain  bool
	mirror bool
	roots  *x509.CertPool
}

// scheme returns the scheme of the URLs of e.
func (e endpoint) scheme() string {
	if e.plain {
		return "http"
	}
	return "https"
}

func (e endpoint) String() string {
	return e.scheme() + "://" + e.ref.Registry + "/" + e.ref.Repository
}

// firstOf returns the result of call at the first endpoint of ref where it
// succeeds. The error is that of the registry itself, and names those of its
// mirrors too.
func firstOf[T any](
	ctx context.Context, c *Client, ref Reference, creds Credentials,
	call func(context.Context, *repository) (T, error),
) (T, error) {
	var none T
	endpoints, err := c.endpoints(ref)
	if err != nil {
		return none, err
	}
	var own error
	var mirrored []string
	for _, e := range endpoints {
		got, err := call(ctx, c.repository(e, creds))
		if err == nil {
			return got, nil
		}
		if err = httpclient.Failed(err); e.mirror {
			mirrored = append(mirrored, fmt.Sprintf("mirror %s: %v", e, err))
		} else {
			own = err
		}
		if ctx.Err() != nil {
			return none, fmt.Errorf("%s: %w", ref, err)
		}
	}
	if len(mirrored) == 0 {
		return none, fmt.Errorf("%s: %w", ref, own)
	}
	return none, fmt.Errorf("%s: %w (%s)", ref, own, strings.Join(mirrored, "; "))
}

// endpoints returns where ref is looked for, in order.
func (c *Client) endpoints(ref Reference) ([]endpoint, error) {
	parsed, err := ref.parseRepository()
	if err != nil {
		return nil, err
	}
	endpoints, err := endpointsOf(parsed, ref.Insecure, c.current.Load().Mirrors)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref, httpclient.Failed(err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortStableFunc(endpoints, func(a, b endpoint) int {
		return cmp.Compare(c.penalty(a), c.penalty(b))
	})
	return endpoints, nil
}

// penalty returns 1 if p was penalized a short while ago. It needs c.mu.
func (c *Client) penalty(e endpoint) int {
	at, ok := c.failed[e.String()]
	if ok && c.now().Sub(at) < mirrorPenalty {
		return 1
	}
	return 0
}

// penalize remembers that a mirror closed a connection early or sent the wrong
// bytes: the next call begins elsewhere.
func (c *Client) penalize(e endpoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.failed) >= maxPenalties {
		clear(c.failed)
	}
	c.failed[e.String()] = c.now()
}
