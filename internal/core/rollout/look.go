package rollout

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxReads is how many members that a list does not have are read one by one: some
// lost their label or are gone. If there are more, all objects of the kind are listed.
const maxReads = 5

// inNamespace is where an object of a kind is.
type inNamespace struct{ namespace, name string }

// lookup is what is found of the objects of a group.
type lookup map[inNamespace]*metav1.PartialObjectMetadata

// look looks at all objects of one kind. Of a complete phase they are members, which
// may be few among the objects of the kind.
func (p *pass) look(ctx context.Context, g group) error {
	found := make(lookup, len(g.objects))
	missing := g.objects
	var err error
	if p.verifying && len(missing) > 1 {
		missing, err = p.list(ctx, g, p.memberLabel(), found)
	}
	switch {
	case err != nil:
	case len(missing) == 1, p.verifying && len(missing) <= maxReads:
		err = p.readEach(ctx, g, missing, found)
	default:
		_, err = p.list(ctx, g, "", found)
	}
	if err != nil {
		return err
	}
	for _, w := range g.objects {
		p.decide(g.resource, w, found[inNamespace{w.ref.Namespace, w.ref.Name}])
	}
	return nil
}

// list adds the objects of a group that a label selects, and returns those that it
// did not find.
func (p *pass) list(ctx context.Context, g group, label string, found lookup) (missing []wanted, err error) {
	wants := make(map[inNamespace]bool, len(g.objects))
	for _, w := range g.objects {
		wants[inNamespace{w.ref.Namespace, w.ref.Name}] = true
	}
	err = p.Cluster.List(ctx, g.resource, g.namespace(), label, func(o *metav1.PartialObjectMetadata) {
		if at := (inNamespace{o.Namespace, o.Name}); wants[at] {
			found[at] = o
		}
	})
	for _, w := range g.objects {
		if found[inNamespace{w.ref.Namespace, w.ref.Name}] == nil {
			missing = append(missing, w)
		}
	}
	return missing, err
}

// readEach adds the objects of a group that are missing, those that exist.
func (p *pass) readEach(ctx context.Context, g group, missing []wanted, found lookup) error {
	for _, w := range missing {
		live, err := p.Cluster.Metadata(ctx, g.resource, w.ref)
		if err != nil {
			return err
		}
		if live != nil {
			found[inNamespace{w.ref.Namespace, w.ref.Name}] = live
		}
	}
	return nil
}
