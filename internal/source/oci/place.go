package oci

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"oras.land/oras-go/v2/registry"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// Mirrors that sent bytes that are of no use come last for a while.
const (
	mirrorPenalty = 5 * time.Minute
	maxPenalties  = 1000
)

// place is where a repository is served: by its registry or by a mirror.
type place struct {
	ref    registry.Reference
	plain  bool
	mirror bool
	roots  *x509.CertPool
}

// scheme returns that of the URLs of p.
func (p place) scheme() string {
	if p.plain {
		return "http"
	}
	return "https"
}

func (p place) String() string {
	return p.scheme() + "://" + p.ref.Registry + "/" + p.ref.Repository
}

// firstOf returns what call gets from the first place of ref where it succeeds.
// The error is that of the registry itself, and tells those of its mirrors too.
func firstOf[T any](
	ctx context.Context, c *Client, ref Reference, creds Credentials,
	call func(context.Context, *repository) (T, error),
) (T, error) {
	var none T
	places, err := c.places(ref)
	if err != nil {
		return none, err
	}
	var own error
	var mirrored []string
	for _, p := range places {
		got, err := call(ctx, c.repository(p, creds))
		if err == nil {
			return got, nil
		}
		if err = failed(err); p.mirror {
			mirrored = append(mirrored, fmt.Sprintf("mirror %s: %v", p, err))
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

// places returns where ref is looked for, in order.
func (c *Client) places(ref Reference) ([]place, error) {
	parsed, err := ref.parseRepository()
	if err != nil {
		return nil, err
	}
	var mirrors []Mirror
	if c.cfg.Mirrors != nil {
		mirrors, err = c.cfg.Mirrors()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref, failed(err))
	}
	places, err := placesOf(parsed, ref.Insecure, mirrors)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref, failed(err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortStableFunc(places, func(a, b place) int {
		return cmp.Compare(c.penalty(a), c.penalty(b))
	})
	return places, nil
}

// penalty returns 1 if p was penalised a short while ago. It needs c.mu.
func (c *Client) penalty(p place) int {
	at, ok := c.failed[p.String()]
	if ok && c.now().Sub(at) < mirrorPenalty {
		return 1
	}
	return 0
}

// penalise remembers that a mirror cut off a transfer or sent the wrong bytes:
// whoever resumes it, or begins again, does so elsewhere.
func (c *Client) penalise(p place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.failed) >= maxPenalties {
		clear(c.failed)
	}
	c.failed[p.String()] = c.now()
}

// failed returns err as one that is tried again, unless it has a class already.
func failed(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return fault.Retry(v1alpha1.FetchFailedReason, err)
}
