package rollout

import (
	"cmp"
	"context"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

type groupVersionKind struct{ group, version, kind string }

// mapper finds the resource of a kind: in the table of built-in kinds, in the
// CustomResourceDefinitions of the bundle, and only for the rest in the discovery
// of the workload cluster. Each group version is read at most once in a pass and
// not kept for the next one: kinds come and go.
type mapper struct {
	cluster Discoverer

	known map[groupVersionKind]manifest.Resource
	// definitions are the CustomResourceDefinitions of the bundle.
	definitions map[schema.GroupKind]*plan.Object

	mu     sync.Mutex
	served map[metav1.GroupVersion]func() ([]metav1.APIResource, error)
}

func newMapper(cluster Discoverer, p *plan.Plan) *mapper {
	known, definitions := make(map[groupVersionKind]manifest.Resource), make(map[schema.GroupKind]*plan.Object)
	for object := range p.All {
		if object.CRD == nil {
			continue
		}
		definitions[kindOf(object.CRD)] = object
		for _, version := range object.CRD.Served {
			known[groupVersionKind{object.CRD.Group, version, object.CRD.Kind}] = manifest.Resource{
				Group: object.CRD.Group, Version: version, Plural: object.CRD.Plural, Namespaced: object.CRD.Namespaced,
			}
		}
	}
	return &mapper{
		cluster: cluster, known: known, definitions: definitions,
		served: make(map[metav1.GroupVersion]func() ([]metav1.APIResource, error)),
	}
}

// locate returns the resource of an object of the plan and its ref with the
// namespace of its path.
func (m *mapper) locate(ctx context.Context, object plan.Object) (manifest.Resource, manifest.Ref, error) {
	if object.Known {
		return object.Resource, withPathNamespace(object.Resource, object.Ref), nil
	}
	resource, err := m.mappingFor(ctx, object.Ref)
	ref := object.Ref
	ref.Namespace = cmp.Or(ref.Namespace, object.DefaultNamespace)
	return resource, withPathNamespace(resource, ref), err
}

// mappingFor returns the resource of a kind. One that the workload cluster does
// not serve is the error of KindNotServed.
func (m *mapper) mappingFor(ctx context.Context, ref manifest.Ref) (manifest.Resource, error) {
	if resource, ok := manifest.BuiltIn(ref.Group, ref.Version, ref.Kind); ok {
		return resource, nil
	}
	if resource, ok := m.known[groupVersionKind{ref.Group, ref.Version, ref.Kind}]; ok {
		return resource, nil
	}
	return m.discover(ctx, ref)
}

// defines reports whether a CustomResourceDefinition of the bundle has the kind.
func (m *mapper) defines(ref manifest.Ref) bool {
	_, ok := m.known[groupVersionKind{ref.Group, ref.Version, ref.Kind}]
	return ok
}

func (m *mapper) discover(ctx context.Context, ref manifest.Ref) (manifest.Resource, error) {
	served, err := m.discovery(ctx, metav1.GroupVersion{Group: ref.Group, Version: ref.Version})()
	if err != nil {
		return manifest.Resource{}, err
	}
	for _, resource := range served {
		if resource.Kind == ref.Kind && !strings.Contains(resource.Name, "/") {
			return manifest.Resource{
				Group: ref.Group, Version: ref.Version, Plural: resource.Name, Namespaced: resource.Namespaced,
			}, nil
		}
	}
	return manifest.Resource{}, KindNotServed(ref)
}

// discovery returns a function that reads the discovery document of a group
// version, once for all callers.
func (m *mapper) discovery(ctx context.Context, gv metav1.GroupVersion) func() ([]metav1.APIResource, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.served[gv] == nil {
		m.served[gv] = sync.OnceValues(func() ([]metav1.APIResource, error) {
			return m.cluster.Resources(ctx, gv.Group, gv.Version)
		})
	}
	return m.served[gv]
}

// withPathNamespace returns the ref with the namespace of its path: none for a
// cluster-scoped resource, and "default" where a namespaced object names none.
func withPathNamespace(resource manifest.Resource, ref manifest.Ref) manifest.Ref {
	if !resource.Namespaced {
		ref.Namespace = ""
		return ref
	}
	ref.Namespace = cmp.Or(ref.Namespace, metav1.NamespaceDefault)
	return ref
}
