package workload

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

// hostile is an API server over TLS and HTTP/2 that does what it likes.
type hostile struct {
	*httptest.Server

	// sent are the bytes of bodies that it got rid of.
	sent     atomic.Int64
	requests atomic.Int64
}

// newHostile starts an API server that answers every request with answer.
func newHostile(t testing.TB, answer http.HandlerFunc) *hostile {
	t.Helper()
	h := &hostile{}
	h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.requests.Add(1)
		answer(counting{w, &h.sent}, r)
	}))
	h.EnableHTTP2 = true
	h.StartTLS()
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
	})
	return h
}

// config is that of a client of the server.
func (h *hostile) config() *rest.Config {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})
	return &rest.Config{Host: h.URL, TLSClientConfig: rest.TLSClientConfig{CAData: ca}}
}

// counting counts what is written.
type counting struct {
	http.ResponseWriter

	sent *atomic.Int64
}

func (c counting) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.sent.Add(int64(n))
	return n, err
}

// Unwrap is for http.ResponseController.
func (c counting) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// isSingle is true for the requests that are not made anew, for less.
type request struct {
	isSingle bool
	send     func(context.Context, *Client) error
}

// requests are all that a Client sends, but watches.
func requests() map[string]request {
	resource := manifest.Resource{Version: "v1", Plural: "configmaps", Namespaced: true}
	ref := manifest.Ref{Version: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "settings"}
	live := &metav1.PartialObjectMetadata{}
	served := []metav1.GroupVersion{{Group: "a.example.com", Version: "v1"}, {Group: "b.example.com", Version: "v1"}}
	return map[string]request{
		"Create": {true, func(ctx context.Context, c *Client) error {
			_, err := c.Create(ctx, resource, ref, []byte(`{}`), "caapb")
			return err
		}},
		"Apply": {true, func(ctx context.Context, c *Client) error {
			_, err := c.Apply(ctx, resource, ref, []byte(`{}`), "caapb")
			return err
		}},
		"MoveFields": {true, func(ctx context.Context, c *Client) error {
			return c.MoveFields(ctx, resource, ref, live, nil)
		}},
		"Delete": {true, func(ctx context.Context, c *Client) error {
			_, err := c.Delete(ctx, resource, ref, rollout.Identity{})
			return err
		}},
		"LetGo": {true, func(ctx context.Context, c *Client) error {
			return c.LetGo(ctx, resource, ref, rollout.Identity{}, "caapb")
		}},
		"Metadata": {true, func(ctx context.Context, c *Client) error {
			_, err := c.Metadata(ctx, resource, ref)
			return err
		}},
		"Object": {true, func(ctx context.Context, c *Client) error {
			_, err := c.Object(ctx, resource, ref)
			return err
		}},
		"SaveParent": {true, func(ctx context.Context, c *Client) error {
			_, err := c.SaveParent(ctx, &corev1.ConfigMap{})
			return err
		}},
		"List": {false, func(ctx context.Context, c *Client) error {
			return c.List(ctx, resource, "", "", func(*metav1.PartialObjectMetadata) {})
		}},
		"Objects": {false, func(ctx context.Context, c *Client) error {
			return c.Objects(ctx, resource, "", "", func(*unstructured.Unstructured) {})
		}},
		"Definitions": {false, func(ctx context.Context, c *Client) error {
			_, err := c.Definitions(ctx)
			return err
		}},
		"Resources": {true, func(ctx context.Context, c *Client) error {
			_, err := c.Resources(ctx, "example.com", "v1")
			return err
		}},
		"Served": {true, func(ctx context.Context, c *Client) error {
			_, err := c.Served(ctx, served)
			return err
		}},
		"Preferred": {true, func(ctx context.Context, c *Client) error {
			_, err := c.Preferred(ctx, []schema.GroupKind{{Group: "example.com", Kind: "Book"}})
			return err
		}},
		"Version": {true, func(ctx context.Context, c *Client) error {
			_, err := c.readVersion(ctx, versionTTL)
			return err
		}},
		"a watch": {true, func(ctx context.Context, c *Client) error {
			_, err := c.revision(ctx, rollout.Target{Resource: resource})
			return err
		}},
	}
}
