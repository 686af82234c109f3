package workload

import (
	"bytes"
	"context"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// Inside is the cluster that the manager itself runs in, as it is reached from there.
type Inside struct {
	// Host and CAData are those of its API server.
	Host   string
	CAData []byte
	// Pod and UID are the manager's.
	Pod client.ObjectKey
	UID types.UID
}

// configFor returns the configuration with which the cluster is reached from inside, if
// the given one may lead to it: it has the same authority. Else it is nil.
func (i *Inside) configFor(given *rest.Config) *rest.Config {
	if i == nil || !bytes.Equal(bytes.TrimSpace(given.CAData), bytes.TrimSpace(i.CAData)) {
		return nil
	}
	inside := rest.CopyConfig(given)
	inside.Host, inside.ServerName, inside.Proxy = i.Host, "", nil
	return inside
}

// isReachedBy reports whether a client reaches the cluster: the Pod is there.
func (i *Inside) isReachedBy(ctx context.Context, c *Client) bool {
	pod, err := c.Metadata(ctx, manifest.Resource{Version: "v1", Plural: "pods", Namespaced: true},
		manifest.Ref{Version: "v1", Kind: "Pod", Namespace: i.Pod.Namespace, Name: i.Pod.Name})
	return err == nil && pod != nil && pod.UID == i.UID
}

// moveInside has a target that was reached be reached from inside, if it is that
// cluster and can be, and returns its version.
func (c *connection) moveInside(at *target, version string) string {
	cfg := at.inside
	at.inside = nil
	ctx, cancel := context.WithTimeout(c.ctx, probeTime)
	defer cancel()
	if !c.of.inside.isReachedBy(ctx, at.client) {
		return version
	}
	made, err := clientFor(cfg, at.client.places, at.client.events)
	if err != nil {
		return version
	}
	if version, err := made.probe(c.ctx, probeTime); err == nil {
		c.equip(at, made, nil)
		return version
	}
	made.end()
	return version
}
