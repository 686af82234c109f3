package simulator

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	apiServer         = "kube-apiserver"
	controllerManager = "kube-controller-manager"

	// goneAfter is how long a Namespace and a CustomResourceDefinition take to go with
	// all that is in them.
	goneAfter = 200 * time.Millisecond
)

// namespaces is where Namespaces are.
var namespaces = storage{"", "namespaces"}

// react has what controllers do to an object that was written happen later. The caller
// holds c.mu.
func (c *Cluster) react(r *resource, o *object) {
	options := c.fleet.options
	switch {
	case o.deleted != 0 && (r.storage() == definitions || r.storage() == namespaces):
		c.later(goneAfter, r, o, c.finalize)
	case r.storage() == definitions:
		c.later(options.EstablishAfter, r, o, c.accept)
	case workloads[r.storage()] != nil:
		c.later(options.ReadyAfter, r, o, c.makeReady)
	}
}

// later has something happen to an object, if it is still there then, and the cluster
// did not restart.
func (c *Cluster) later(after time.Duration, r *resource, o *object, do func(*resource, *object)) {
	number, restarts := o.number, c.restarts
	c.fleet.clock.after(after, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if now := c.get(r.storage(), o.NamespacedName); now != nil && now.number == number && c.restarts == restarts {
			do(r, now)
		}
	})
}

// control writes the status of an object as a controller does, and returns the object.
// The caller holds c.mu.
func (c *Cluster) control(r *resource, o *object, manager, what string, change func(fields map[string]any)) *object {
	made := c.fleet.deeds.get(deed{before: o.state, resource: r, what: what, manager: manager}, func() result {
		return controlled(r, o.state, manager, change)
	})
	if made.refused != nil || made.after == o.state {
		return o
	}
	return c.put(r, o, made.after, time.Now())
}

func controlled(r *resource, before *state, manager string, change func(fields map[string]any)) result {
	fields, err := r.status()
	if err != nil {
		return result{refused: internalError(err)}
	}
	live, next := before.fields(r), before.fields(r)
	change(next)
	merged := fields.UpdateNoErrors(&unstructured.Unstructured{Object: live}, &unstructured.Unstructured{Object: next}, manager)
	return finish(r, "status", before, merged.(*unstructured.Unstructured).Object)
}

// accept accepts the names of a CustomResourceDefinition and establishes it.
func (c *Cluster) accept(r *resource, o *object) {
	if o.deleted != 0 {
		return
	}
	o = c.control(r, o, apiServer, "accept", acceptNames)
	o = c.control(r, o, apiServer, "establish", establish)
	c.later(c.fleet.options.ServeAfter, r, o, c.serveKinds)
}

// serveKinds serves the kinds of a CustomResourceDefinition.
func (c *Cluster) serveKinds(_ *resource, o *object) {
	if o.deleted != 0 || o.definition == nil {
		return
	}
	i, found := slices.BinarySearchFunc(c.served, o.Name, func(d *definition, name string) int {
		return strings.Compare(d.name, name)
	})
	if found {
		c.served[i] = o.definition
		return
	}
	c.served = slices.Insert(c.served, i, o.definition)
	c.servedAt = time.Now()
}

// finalize ends a Namespace or a CustomResourceDefinition and what is in it.
func (c *Cluster) finalize(r *resource, o *object) {
	for kind, objects := range c.kinds {
		for _, member := range slices.Clone(objects.objects) {
			if isWithin(r, o, kind, member) {
				c.remove(kind, member)
			}
		}
	}
	if r.storage() == definitions {
		c.served = slices.DeleteFunc(c.served, func(d *definition) bool { return d.name == o.Name })
	}
	c.remove(r.storage(), o)
}

// isWithin reports whether an object goes with a Namespace or a CustomResourceDefinition.
func isWithin(r *resource, o *object, kind storage, member *object) bool {
	if r.storage() == namespaces {
		return member.Namespace == o.Name
	}
	return kind.plural+"."+kind.group == o.Name
}

// makeReady makes a workload available, and a Job complete.
func (c *Cluster) makeReady(r *resource, o *object) {
	if o.deleted == 0 {
		c.control(r, o, controllerManager, "make ready", workloads[r.storage()])
	}
}
