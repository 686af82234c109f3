package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// floorName is the way that does as little as can be done.
const floorName = "floor"

// floorWidths are the numbers of requests at once of which the best is taken.
var floorWidths = []int{1, 2, 4, 8}

func newFloor() *childWay {
	return &childWay{name: floorName, description: "bodies encoded beforehand, sent in parallel; no inventory, nothing compared"}
}

// floor is the work of that way. Its groups are what can be sent at once.
type floor struct {
	client *http.Client
	config *rest.Config
	width  int

	definitions []*Object
	served      map[schema.GroupVersion][]string
	rest        [][]*Object
	kinds       kinds
}

// floorTask reads and encodes everything, and connects to nothing yet.
func floorTask(_ context.Context, w Work) (func(context.Context) error, error) {
	objects, err := w.Step.Release.Objects()
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", w.Kubeconfig)
	if err != nil {
		return nil, err
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	f := &floor{client: client, config: config, width: max(1, w.Width), kinds: kindsOf(objects), served: served(objects)}
	f.group(objects)
	return f.run, nil
}

// group divides the objects: definitions, and then Namespaces, what is in them, and what is
// of the kinds defined.
func (f *floor) group(objects []*Object) {
	f.rest = make([][]*Object, 3)
	for _, o := range objects {
		switch {
		case o.IsDefinition():
			f.definitions = append(f.definitions, o)
		case o.GetKind() == "Namespace":
			f.rest[0] = append(f.rest[0], o)
		case f.kinds.isDefined(o):
			f.rest[2] = append(f.rest[2], o)
		default:
			f.rest[1] = append(f.rest[1], o)
		}
	}
}

func (f *floor) run(ctx context.Context) error {
	if err := f.applyAll(ctx, f.definitions); err != nil {
		return err
	}
	c, err := discovery.NewDiscoveryClientForConfigAndClient(f.config, f.client)
	if err != nil {
		return err
	}
	if err := awaitServed(ctx, c, f.served); err != nil {
		return err
	}
	for _, objects := range f.rest {
		if err := f.applyAll(ctx, objects); err != nil {
			return err
		}
	}
	return nil
}

func (f *floor) applyAll(ctx context.Context, objects []*Object) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(f.width)
	for _, o := range objects {
		group.Go(func() error { return f.apply(ctx, o) })
	}
	return group.Wait()
}

// apply sends the object, and asks for no more than its metadata in return.
func (f *floor) apply(ctx context.Context, o *Object) error {
	url := f.config.Host + f.kinds.path(o) + "?fieldManager=" + floorName + "&force=true"
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch, url, bytes.NewReader(o.Compact))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/apply-patch+yaml")
	req.Header.Set("Accept", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io")
	resp, err := f.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // Nothing is left in it.
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s: %s: %s", o.Key(), resp.Status, lastBytes(body))
	}
	return nil
}
