package plan

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// DefaultNamespace is where an object goes that names no namespace, and whose source
// and phase name none.
const DefaultNamespace = "default"

// New returns the plan of a release. An object that is duplicated with the same
// content is kept once, in the first phase that has it. An object that gives way to
// another one of the release is replaced by it, where it is, also by one of a later phase.
//
// All errors have the class Stall and are collected into one, with the places
// of the objects: ObjectConflictReason for an object with two contents or
// versions and for a kind that two CustomResourceDefinitions define,
// ManifestInvalidReason for an instance of a version that the bundle's own
// CustomResourceDefinition does not serve. More than limits.Objects objects,
// repetitions among them, are an error with LimitExceededReason.
func New(phases []Input, limits manifest.Limits) (*Plan, error) {
	if n := count(phases); n > limits.Objects {
		return nil, fault.Stallf(v1alpha1.LimitExceededReason,
			"the release has %d objects, more than %d", n, limits.Objects)
	}
	var problems problems
	crds := definitions(phases, &problems)
	plan := builder{crds: crds, moment: atInstallation, problems: &problems}.plan(phases)
	if areUpgradesDifferent(phases) {
		plan.Upgrade = builder{crds: crds, moment: atUpgrade, problems: &problems}.plan(phases)
	}
	if err := problems.err(); err != nil {
		return nil, err
	}
	return plan, nil
}

func count(phases []Input) int {
	n := 0
	for _, phase := range phases {
		for _, blob := range phase.Blobs {
			n += len(blob.Entries)
		}
	}
	return n
}

// identity is what identifies an object for an API server.
type identity struct {
	kind            schema.GroupKind
	namespace, name string
}

// identityOf returns the identity of an object. One of a kind that only discovery
// knows is taken for namespaced.
func identityOf(o Object) identity {
	namespace := o.Namespace
	if !o.Known {
		namespace = cmp.Or(namespace, o.DefaultNamespace)
	}
	return identity{o.GroupKind(), namespace, o.Name}
}

// builder makes a plan.
type builder struct {
	crds map[schema.GroupKind]manifest.Entry
	// moment returns when a hook is applied.
	moment   func(manifest.Hook) manifest.Moment
	problems *problems
	// brought are the Namespaces that others give way to.
	brought map[identity]Object
	// first are the objects of the phases that it has seen.
	first map[identity]Object
}

// plan returns the plan of the phases.
func (b builder) plan(phases []Input) *Plan {
	b.first = make(map[identity]Object)
	b.brought = b.namespaces(phases)
	plan := &Plan{}
	for _, phase := range phases {
		plan.Phases = append(plan.Phases, Phase{Name: phase.Name, Steps: stepsOf(b.phase(phase))})
	}
	return plan
}

// phase returns the objects of a phase that no earlier phase has.
func (b *builder) phase(phase Input) []Object {
	var kept []Object
	for _, o := range sorted(phase) {
		if !b.decideMoment(&o) {
			continue
		}
		b.resolve(&o)
		id := identityOf(o)
		if other, ok := b.brought[id]; ok && o.GivesWay {
			o = other
		}
		first, ok := b.first[id]
		if !ok {
			b.first[id] = o
			kept = append(kept, o)
			continue
		}
		if first.SHA256 != o.SHA256 {
			b.problems.add(v1alpha1.ObjectConflictReason, "%s is duplicated with different content: %s; %s",
				o.Ref, first.Place, o.Place)
		}
	}
	return kept
}

// sorted returns the objects of a phase in an order that depends neither on the
// order of the sources nor on that of their entries.
func sorted(phase Input) []Object {
	var objects []Object
	for _, blob := range phase.Blobs {
		for _, entry := range blob.Entries {
			objects = append(objects, Object{
				Entry: entry, Blob: blob.Digest, DefaultNamespace: cmp.Or(blob.Namespace, DefaultNamespace),
				GivesWay: blob.GivesWay,
			})
		}
	}
	slices.SortFunc(objects, func(a, b Object) int {
		return cmp.Or(
			a.Place.Compare(b.Place),
			cmp.Compare(a.Blob, b.Blob),
			cmp.Compare(a.Offset, b.Offset),
			a.Compare(b.Ref),
			cmp.Compare(a.SHA256, b.SHA256),
			cmp.Compare(a.DefaultNamespace, b.DefaultNamespace),
		)
	})
	return objects
}

// resolve fills in the resource of an object and the namespace of its path.
func (b *builder) resolve(o *Object) {
	o.Resource, o.Known = b.resource(o)
	switch {
	case !o.Known:
	case !o.Resource.Namespaced:
		o.Namespace = ""
	case o.Namespace == "":
		o.Namespace = o.DefaultNamespace
	}
}

func (b *builder) resource(o *Object) (manifest.Resource, bool) {
	definition, ok := b.crds[o.GroupKind()]
	if !ok {
		return manifest.BuiltIn(o.Group, o.Version, o.Kind)
	}
	crd := definition.CRD
	if !slices.Contains(crd.Served, o.Version) {
		b.problems.add(v1alpha1.ManifestInvalidReason, "%s: %s: %s does not serve version %s (served: %q)",
			o.Place, o.Ref, definition.Ref, o.Version, crd.Served)
	}
	return manifest.Resource{
		Group:      crd.Group,
		Version:    o.Version,
		Plural:     crd.Plural,
		Namespaced: crd.Namespaced,
	}, true
}

// definitions returns the CustomResourceDefinitions of all phases by the kind
// that they define.
func definitions(phases []Input, problems *problems) map[schema.GroupKind]manifest.Entry {
	crds := map[schema.GroupKind]manifest.Entry{}
	for _, phase := range phases {
		for _, o := range sorted(phase) {
			if o.CRD == nil {
				continue
			}
			kind := schema.GroupKind{Group: o.CRD.Group, Kind: o.CRD.Kind}
			other, ok := crds[kind]
			if !ok {
				crds[kind] = o.Entry
				continue
			}
			if other.Name != o.Name {
				problems.add(v1alpha1.ObjectConflictReason, "%s is defined twice: %s: %s; %s: %s",
					kind, other.Place, other.Ref, o.Place, o.Ref)
			}
		}
	}
	return crds
}
