package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// observer sees what is in a workload cluster, by one watch for each kind: of metadata, but
// for CRDs, whose status counts. It takes the place of the controllers of a cluster for
// Deployments, which are Available at once.
type observer struct {
	ctx         context.Context //nolint:containedctx // It ends all watches, also those opened later.
	cancel      context.CancelFunc
	done        sync.WaitGroup
	definitions apiextensions.Interface
	metadata    metadata.Interface
	discovery   discovery.DiscoveryInterface
	client      client.Client

	mu      sync.Mutex
	watched map[schema.GroupVersionResource]bool
	seen    map[string]state
	goal    *goal
	failed  error
}

// state is what was seen last of an object. The zero value is of one that is not there.
type state struct {
	uid, version string
	generation   int64
	// established is of a CRD.
	established bool
}

func (s state) isThere() bool { return s.uid != "" }

// startObserver watches the kinds of the objects, but for those that the objects define.
func startObserver(config *rest.Config, c client.Client, objects []*Object) (*observer, error) {
	o := &observer{client: c, watched: map[schema.GroupVersionResource]bool{}, seen: map[string]state{}}
	compact := rest.CopyConfig(config)
	compact.ContentType = runtime.ContentTypeProtobuf
	var err error
	if o.definitions, err = apiextensions.NewForConfig(compact); err != nil {
		return nil, err
	}
	if o.metadata, err = metadata.NewForConfig(config); err != nil {
		return nil, err
	}
	if o.discovery, err = discovery.NewDiscoveryClientForConfig(config); err != nil {
		return nil, err
	}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	o.follow(apiextensionsv1.Kind(definitionKind), func() (watch.Interface, error) {
		return o.definitions.ApiextensionsV1().CustomResourceDefinitions().Watch(o.ctx, metav1.ListOptions{})
	})
	k := kindsOf(objects)
	for _, object := range objects {
		if !object.IsDefinition() && !k.isDefined(object) {
			o.watch(k.resource(object), object.GroupVersionKind().GroupKind())
		}
	}
	return o, nil
}

// watchDefined watches the kinds that the objects define, once those are served.
func (o *observer) watchDefined(objects []*Object) {
	k := kindsOf(objects)
	for _, object := range objects {
		if k.isDefined(object) {
			o.watch(k.resource(object), object.GroupVersionKind().GroupKind())
		}
	}
}

// aim makes the goal that which counts from now on.
func (o *observer) aim(g *goal) *goal {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.goal = g
	if o.failed != nil {
		g.fail(o.failed)
	}
	return g
}

// stop ends all watches.
func (o *observer) stop() {
	o.cancel()
	o.done.Wait()
}

// watch watches metadata, once for each resource.
func (o *observer) watch(resource schema.GroupVersionResource, kind schema.GroupKind) {
	o.mu.Lock()
	known := o.watched[resource]
	o.watched[resource] = true
	o.mu.Unlock()
	if known {
		return
	}
	o.follow(kind, func() (watch.Interface, error) {
		return o.metadata.Resource(resource).Watch(o.ctx, metav1.ListOptions{})
	})
}

// follow notes the events until the observer is stopped. A watch begins with what is there.
func (o *observer) follow(kind schema.GroupKind, open func() (watch.Interface, error)) {
	o.done.Go(func() {
		for o.ctx.Err() == nil {
			w, err := open()
			if err != nil {
				o.fail(fmt.Errorf("watching %s: %w", kind, err))
				return
			}
			for event := range w.ResultChan() {
				o.note(kind, event)
			}
			w.Stop()
		}
	})
}

// fail ends the goal: times would be wrong.
func (o *observer) fail(err error) {
	if o.ctx.Err() != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failed = err
	if o.goal != nil {
		o.goal.fail(err)
	}
}

func (o *observer) note(kind schema.GroupKind, event watch.Event) {
	object, err := meta.Accessor(event.Object)
	if err != nil {
		return // An error or a bookmark: the watch ends, or it does not matter.
	}
	now := time.Now()
	s := state{uid: string(object.GetUID()), version: object.GetResourceVersion(), generation: object.GetGeneration()}
	if crd, ok := event.Object.(*apiextensionsv1.CustomResourceDefinition); ok {
		s.established = isEstablished(crd)
	}
	if event.Type == watch.Deleted {
		s = state{}
	}
	key := keyOf(kind, object.GetNamespace(), object.GetName())
	o.mu.Lock()
	before := o.seen[key]
	o.seen[key] = s
	if o.goal != nil {
		o.goal.note(key, s, now)
	}
	o.mu.Unlock()
	if kind.Kind == deploymentKind && s.isThere() && s.generation != before.generation {
		o.done.Go(func() { o.makeAvailable(object.GetNamespace(), object.GetName(), s.generation) })
	}
}

func isEstablished(crd *apiextensionsv1.CustomResourceDefinition) bool {
	for _, c := range crd.Status.Conditions {
		if c.Type == apiextensionsv1.Established {
			return c.Status == apiextensionsv1.ConditionTrue
		}
	}
	return false
}

// stateOf returns what was seen last of an object.
func (o *observer) stateOf(key string) state {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen[key]
}
