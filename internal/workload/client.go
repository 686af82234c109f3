package workload

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

const (
	// requestTimeout bounds one request: the API server's own limit for
	// requests that are not watches is one minute.
	requestTimeout = 30 * time.Second

	// acceptMetadata requests only the metadata of an object. The answer to an
	// apply is otherwise as large as the request.
	acceptMetadata = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"

	acceptJSON = "application/json"
)

var (
	_ rollout.Applier    = (*Client)(nil)
	_ rollout.Reader     = (*Client)(nil)
	_ rollout.Discoverer = (*Client)(nil)
)

// Client talks to the API server of one workload cluster. It is safe for
// concurrent use.
//
// The errors of its requests have a class and a reason, and name the object. A
// request that fails is a fault.Retry with ApplyFailedReason. So is one that is not
// answered in time, with rollout.ErrUnanswered in its chain: the answer to a read must
// begin within 10 seconds, that to a write within 30, and none may pause for 10. So is
// an answer of more than 16 MiB. HTTP 400, 422 and the 500 for an object that does not
// fit its schema are a fault.Retry with ObjectInvalidReason. HTTP 413 is a fault.Stall.
// HTTP 429, a kind that is not served and a Namespace that is being deleted are a
// fault.Wait.
type Client struct {
	rest rest.Interface
	// places are those of its large answers.
	places []*semaphore.Weighted
	events clientEvents
	// wire has its network connections; nil where it was given a transport.
	wire *wire
	// of and pass are those of ForPass; nil for none.
	of   *Client
	pass *onePass

	// silent is true while the server did not answer the last read of reads.
	reads  singleflight.Group
	silent atomic.Bool
	known  knownVersion
}

// clientEvents are called when something happened to a client that speaks against its
// connection. Those that are nil are not.
type clientEvents struct {
	// silence: a request was not answered in time. refused: the server does not know the
	// user. lost: the network connection is closed.
	silence, refused, lost func()
}

// NewClient returns a client for the given configuration, or an error if it makes
// no HTTP client. Its rate limits and its timeout are not used.
func NewClient(cfg *rest.Config) (*Client, error) {
	return clientFor(cfg, newPlaces().of(""), clientEvents{})
}

func clientFor(cfg *rest.Config, places []*semaphore.Weighted, events clientEvents) (*Client, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.QPS, cfg.RateLimiter = -1, nil
	cfg.Timeout = 0
	// A warning is for the author of the bundle, and the same in every cluster.
	cfg.WarningHandler, cfg.WarningHandlerWithContext = rest.NoWarnings{}, nil
	cfg.NegotiatedSerializer = codecs
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return answers{next} })
	made := &Client{places: places, events: events}
	if cfg.Transport == nil {
		made.wire = newWire(func() { call(events.lost) })
	}
	if err := withTransport(cfg, made.wire); err != nil {
		return nil, err
	}
	httpClient, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("HTTP client: %w", err)
	}
	// An API server does not send its clients elsewhere: what is there is not asked.
	httpClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if made.rest, err = rest.UnversionedRESTClientForConfigAndClient(cfg, httpClient); err != nil {
		return nil, fmt.Errorf("REST client: %w", err)
	}
	return made, nil
}

// codecs are those of all clients. They decode errors only.
var codecs = scheme.Codecs.WithoutConversion()

// call calls what there may be to call.
func call(event func()) {
	if event != nil {
		event()
	}
}

// isOpen reports whether a network connection is open, as far as that is known.
func (c *Client) isOpen() bool { return c.wire == nil || c.wire.isOpen() }

// cut closes the network connections in the middle of requests.
func (c *Client) cut() {
	if c.wire != nil {
		c.wire.cut()
	}
}

// end is cut, after which the client reaches nothing any more.
func (c *Client) end() {
	if c.wire != nil {
		c.wire.end()
	}
}

// Create sends body, the JSON of an object that did not exist, as a server-side
// apply of the field manager. If another field manager made the object meanwhile
// with other content, nothing is written, and the error is a fault.Wait of one
// second with inventory.ErrChanged in its chain: of two sets only one may win. It
// returns the metadata of the object.
func (c *Client) Create(
	ctx context.Context, resource manifest.Resource, ref manifest.Ref, body []byte, manager string,
) (*metav1.PartialObjectMetadata, error) {
	applied, err := c.apply(ctx, resource, ref, body, manager, false)
	if apierrors.IsConflict(err) {
		return nil, changed(ref)
	}
	return applied, c.explained(ctx, classify(ref, err), err)
}

// Apply sends body, the JSON of the object, as a server-side apply of the field
// manager. It takes fields over from other field managers, as upstream projects
// tell their users to do with --force-conflicts; whether the object may be taken
// over at all is the caller's question. It returns the metadata of the object.
func (c *Client) Apply(
	ctx context.Context, resource manifest.Resource, ref manifest.Ref, body []byte, manager string,
) (*metav1.PartialObjectMetadata, error) {
	applied, err := c.apply(ctx, resource, ref, body, manager, true)
	return applied, c.explained(ctx, classify(ref, err), err)
}

func (c *Client) apply(
	ctx context.Context, resource manifest.Resource, ref manifest.Ref, body []byte, manager string, force bool,
) (*metav1.PartialObjectMetadata, error) {
	applied := &metav1.PartialObjectMetadata{}
	err := c.send(ctx, c.rest.Patch(types.ApplyPatchType).
		AbsPath(path(resource, ref)...).
		Param("fieldManager", manager).
		Param("force", strconv.FormatBool(force)).
		SetHeader("Accept", acceptMetadata).
		Body(body), applied)
	if err != nil {
		return nil, err
	}
	c.saw().noteObject(resource, ref, applied.ResourceVersion, applied)
	return applied, nil
}

func (c *Client) get(ctx context.Context, accept string, into any, segments ...string) error {
	return c.send(ctx, c.rest.Get().AbsPath(segments...).SetHeader("Accept", accept), into)
}

// path returns the segments of an object's path in the API.
func path(resource manifest.Resource, ref manifest.Ref) []string {
	segments := groupVersionPath(resource.Group, resource.Version)
	if resource.Namespaced {
		segments = append(segments, "namespaces", ref.Namespace)
	}
	return append(segments, resource.Plural, ref.Name)
}

func groupVersionPath(group, version string) []string {
	if group == "" {
		return []string{"api", version}
	}
	return []string{"apis", group, version}
}
