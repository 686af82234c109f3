package simulator

import (
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// resource is a kind in one version, as it is served. All clusters share it.
type resource struct {
	group, version, plural, kind string

	namespaced    bool
	hasStatus     bool // as a subresource
	hasGeneration bool
	isCustom      bool
	isStored      bool // it has objects: a TokenReview has none

	// main and status are the managers of the fields of an object, and of its status.
	main, status func() (*managedfields.FieldManager, error)
}

// storage is where the objects of a resource are, whatever their version.
type storage struct{ group, plural string }

func (r *resource) storage() storage { return storage{r.group, r.plural} }

func (r *resource) groupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: r.group, Version: r.version}
}

func (r *resource) groupResource() schema.GroupResource {
	return schema.GroupResource{Group: r.group, Resource: r.plural}
}

// manageFields sets the managers of fields, which are made when they are needed.
func (r *resource) manageFields(converter func() (managedfields.TypeConverter, error)) {
	r.main = sync.OnceValues(func() (*managedfields.FieldManager, error) { return r.newManager(converter, "") })
	r.status = sync.OnceValues(func() (*managedfields.FieldManager, error) { return r.newManager(converter, "status") })
}

func (r *resource) newManager(
	converter func() (managedfields.TypeConverter, error), subresource string,
) (*managedfields.FieldManager, error) {
	types, err := converter()
	if err != nil {
		return nil, err
	}
	gv := r.groupVersion()
	return managedfields.NewDefaultCRDFieldManager(
		types, untyped{}, untyped{}, untyped{}, gv.WithKind(r.kind), gv, subresource, r.resetFields(subresource))
}

// resetFields are the fields that a write to the object, or to its status, leaves.
func (r *resource) resetFields(subresource string) map[fieldpath.APIVersion]fieldpath.Filter {
	if !r.hasStatus {
		return nil
	}
	reset := fieldpath.NewSet(fieldpath.MakePathOrDie("status"))
	if subresource != "" {
		reset = fieldpath.NewSet(fieldpath.MakePathOrDie("spec"), fieldpath.MakePathOrDie("metadata"))
	}
	return map[fieldpath.APIVersion]fieldpath.Filter{
		fieldpath.APIVersion(r.groupVersion().String()): fieldpath.NewExcludeSetFilter(reset),
	}
}

// untyped makes and converts objects that are maps. No field changes between versions.
type untyped struct{}

// Default has no defaults.
func (untyped) Default(runtime.Object) {}

// New returns an object without fields.
func (untyped) New(kind schema.GroupVersionKind) (runtime.Object, error) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	return object, nil
}

// Convert is not asked for.
func (untyped) Convert(_, _, _ any) error { return runtime.NewNotRegisteredErrForType("", nil) }

// ConvertToVersion returns the object with another version.
func (untyped) ConvertToVersion(in runtime.Object, to runtime.GroupVersioner) (runtime.Object, error) {
	kind := in.GetObjectKind().GroupVersionKind()
	target, ok := to.KindForGroupVersionKinds([]schema.GroupVersionKind{kind})
	if !ok || target == kind {
		return in, nil
	}
	out := in.DeepCopyObject()
	out.GetObjectKind().SetGroupVersionKind(target)
	return out, nil
}

// ConvertFieldLabel is not asked for.
func (untyped) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}
