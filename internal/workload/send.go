package workload

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
)

// onePass is what one pass knows of the server, and what it saw there.
type onePass struct {
	gaveUp atomic.Bool
	seen   *seen
}

// ForPass returns a client for one pass, through the same connection. Once a request
// was not answered in time those behind it fail at once, without being sent: a pass
// has many to make, one after the other, and a worker would wait for each. Only what a
// pass did is still saved.
func (c *Client) ForPass() *Client {
	return &Client{rest: c.rest, places: c.places, events: c.events, of: c, pass: &onePass{seen: newSeen()}}
}

// whole returns the client that the one of a pass is of, itself if it is of no pass.
func (c *Client) whole() *Client {
	if c.of != nil {
		return c.of
	}
	return c
}

// saw returns where the requests of a pass are noted; nil for those of no pass.
func (c *Client) saw() *seen {
	if c.pass == nil {
		return nil
	}
	return c.pass.seen
}

// send sends a request and decodes the answer, unless into is nil. Every request but
// that of a watch is sent here.
func (c *Client) send(ctx context.Context, request *rest.Request, into any) error {
	if c.pass != nil && c.pass.gaveUp.Load() {
		return errStalled
	}
	return c.sendAnyway(ctx, request, into)
}

// sendAnyway is send though the server did not answer before.
func (c *Client) sendAnyway(ctx context.Context, request *rest.Request, into any) error {
	err := c.request(ctx, request, into)
	switch {
	case apierrors.IsUnauthorized(err):
		call(c.events.refused)
	case isUnanswered(err):
		call(c.events.silence)
		if c.pass != nil {
			c.pass.gaveUp.Store(true)
		}
	}
	return err
}

func (c *Client) request(ctx context.Context, request *rest.Request, into any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	ctx, free := withRoom(ctx, c.places)
	defer free()
	result := request.MaxRetries(0).Do(ctx)
	// Only Result.Error reads the error of the server from the body: DoRaw and Raw do not.
	if err := result.Error(); err != nil || into == nil {
		return err
	}
	body, err := result.Raw()
	if err != nil {
		return err
	}
	return decode(body, into)
}

// isUnanswered reports whether a request was not answered in time.
func isUnanswered(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}
