package workload

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/singleflight"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/version"
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

	// versionTTL is how long the Kubernetes version of an API server is taken
	// to be the same: it changes while the connection stays.
	versionTTL = 5 * time.Minute

	// settlingTTL is versionTTL while the version is about to change.
	settlingTTL = 15 * time.Second
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
// request that fails, or is not answered within 30 seconds, is a fault.Retry with
// ApplyFailedReason, of an HTTP 400 or 422, and
// of the 500 for an object that does not fit its schema, with ObjectInvalidReason. HTTP 413 is a
// fault.Stall. HTTP 429, a kind that is not served and a Namespace that is being
// deleted are a fault.Wait.
type Client struct {
	rest rest.Interface

	// The version and its age belong to the one read that reads has under way.
	reads      singleflight.Group
	version    string
	versionAge time.Time
}

// NewClient returns a client for the given configuration, or an error if it makes
// no HTTP client. Its rate limits and its timeout are not used.
func NewClient(cfg *rest.Config) (*Client, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.QPS, cfg.RateLimiter = -1, nil
	cfg.Timeout = 0
	// A warning is for the author of the bundle, and the same in every cluster.
	cfg.WarningHandler, cfg.WarningHandlerWithContext = rest.NoWarnings{}, nil
	cfg.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	httpClient, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("HTTP client: %w", err)
	}
	restClient, err := rest.UnversionedRESTClientForConfigAndClient(cfg, httpClient)
	if err != nil {
		return nil, fmt.Errorf("REST client: %w", err)
	}
	return &Client{rest: restClient}, nil
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
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answered, err := answer(c.rest.Patch(types.ApplyPatchType).
		AbsPath(path(resource, ref)...).
		Param("fieldManager", manager).
		Param("force", strconv.FormatBool(force)).
		SetHeader("Accept", acceptMetadata).
		MaxRetries(0).
		Body(body).
		Do(ctx))
	if err != nil {
		return nil, err
	}
	applied := &metav1.PartialObjectMetadata{}
	return applied, decode(answered, applied)
}

// Metadata reads the metadata of an object. It returns nil if the object does not
// exist, and also if its kind is not served.
func (c *Client) Metadata(
	ctx context.Context, resource manifest.Resource, ref manifest.Ref,
) (*metav1.PartialObjectMetadata, error) {
	live := &metav1.PartialObjectMetadata{}
	err := c.get(ctx, acceptMetadata, live, path(resource, ref)...)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return live, classify(ref, err)
}

// Object reads a whole object. It returns nil if the object does not exist, and
// also if its kind is not served.
func (c *Client) Object(
	ctx context.Context, resource manifest.Resource, ref manifest.Ref,
) (*unstructured.Unstructured, error) {
	live := &unstructured.Unstructured{}
	err := c.get(ctx, acceptJSON, live, path(resource, ref)...)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return live, classify(ref, err)
}

// Version returns the Kubernetes version of the API server, as in "v1.36.3". It
// is read again, once for all callers, when it was read longer ago than ttl.
func (c *Client) Version(ctx context.Context, ttl time.Duration) (string, error) {
	known, err, _ := c.reads.Do("version", func() (any, error) {
		if c.version != "" && time.Since(c.versionAge) < ttl {
			return c.version, nil
		}
		read := &version.Info{}
		if err := c.get(ctx, acceptJSON, read, "version"); err != nil {
			return "", failed("version of the workload cluster", false, err)
		}
		c.version, c.versionAge = read.GitVersion, time.Now()
		return c.version, nil
	})
	return known.(string), err
}

func (c *Client) get(ctx context.Context, accept string, into any, segments ...string) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	body, err := answer(c.rest.Get().AbsPath(segments...).SetHeader("Accept", accept).MaxRetries(0).Do(ctx))
	if err != nil {
		return err
	}
	return decode(body, into)
}

// decode reads the body of an answer.
func decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the answer is not of the type that was requested: %w", err)
	}
	return nil
}

// answer returns the body of an answer, or the error of the server. Only
// Result.Error reads the latter from the body: DoRaw and Raw do not.
func answer(result rest.Result) ([]byte, error) {
	if err := result.Error(); err != nil {
		return nil, err
	}
	return result.Raw()
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
