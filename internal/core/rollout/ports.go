package rollout

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/definition"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// Cluster is a workload cluster as a pass needs it: one port for each thing that
// a pass does there. A function takes the port that it uses and no more.
//
// Errors of all ports have their class and name the object.
type Cluster interface {
	Writer
	Reader
	Discoverer
	Keeper
}

// Writer changes objects.
type Writer interface {
	Applier
	Remover
}

// Applier writes objects.
type Applier interface {
	// Create sends the JSON of an object that did not exist as a server-side apply of
	// the field manager. If another field manager made it meanwhile with other
	// content, nothing is written, and inventory.ErrChanged is in the error. It
	// returns the metadata of the object.
	Create(
		ctx context.Context, resource manifest.Resource, ref manifest.Ref, body []byte, manager string,
	) (*metav1.PartialObjectMetadata, error)
	// Apply is Create for an object that exists: it takes fields over from other
	// field managers.
	Apply(
		ctx context.Context, resource manifest.Resource, ref manifest.Ref, body []byte, manager string,
	) (*metav1.PartialObjectMetadata, error)
	// MoveFields replaces the managed fields of a live object, if it is still the
	// one that was read.
	MoveFields(
		ctx context.Context, resource manifest.Resource, ref manifest.Ref,
		live *metav1.PartialObjectMetadata, fields []metav1.ManagedFieldsEntry,
	) error
}

// Reader reads objects, one or many.
type Reader interface {
	Lister
	// Metadata reads the metadata of an object. It returns nil if the object does
	// not exist, and also if its kind is not served.
	Metadata(ctx context.Context, resource manifest.Resource, ref manifest.Ref) (*metav1.PartialObjectMetadata, error)
	// Object reads a whole object. It returns nil if the object does not exist,
	// and also if its kind is not served.
	Object(ctx context.Context, resource manifest.Resource, ref manifest.Ref) (*unstructured.Unstructured, error)
	// Definitions reads what matters of all CustomResourceDefinitions, by their name.
	Definitions(ctx context.Context) (map[string]definition.Live, error)
}

// Lister reads many objects.
type Lister interface {
	// List calls each with the metadata of every object of a kind that a label
	// selector, if there is one, selects, in a namespace or, if that is empty, in all
	// of them. A kind that is not served has none.
	List(
		ctx context.Context, resource manifest.Resource, namespace, label string, each func(*metav1.PartialObjectMetadata),
	) error
	// Objects calls each with every whole object of a kind that a label selector
	// selects, in a namespace or, if that is empty, in all of them. A kind that is
	// not served has none.
	Objects(
		ctx context.Context, resource manifest.Resource, namespace, label string, each func(*unstructured.Unstructured),
	) error
}

// Discoverer reads which kinds are served.
type Discoverer interface {
	// Resources reads what discovery lists in a group version. It returns none if
	// the group version is not served.
	Resources(ctx context.Context, group, version string) ([]metav1.APIResource, error)
	// Served reads what discovery lists in each of the group versions; nothing in
	// one that is not served. It is one request where the server allows that.
	Served(ctx context.Context, groupVersions []metav1.GroupVersion) (map[metav1.GroupVersion][]metav1.APIResource, error)
}

// Keeper keeps the parent of an inventory.
type Keeper interface {
	// SaveParent creates the parent, or replaces the one with the resource version
	// that it has, and returns it as it is stored. If another writer was faster, the
	// error is inventory.ErrChanged in a fault.Wait.
	SaveParent(ctx context.Context, parent *corev1.ConfigMap) (*corev1.ConfigMap, error)
}

// Remover removes objects.
type Remover interface {
	// Preferred returns the resource of each kind in the version that the server
	// prefers. A kind that is not served is missing.
	Preferred(ctx context.Context, kinds []schema.GroupKind) (map[schema.GroupKind]manifest.Resource, error)
	// Delete deletes an object if it is still the one that was read, and what it owns
	// behind it. It reports whether the object is gone; one with finalizers is not
	// yet. If another writer was faster, the error is inventory.ErrChanged in a
	// fault.Wait.
	Delete(ctx context.Context, resource manifest.Resource, ref manifest.Ref, live Identity) (gone bool, err error)
	// LetGo removes from an object, if it is still there, the fields that only the
	// field manager applied.
	LetGo(ctx context.Context, resource manifest.Resource, ref manifest.Ref, live Identity, manager string) error
}

// Identity is which object was read, and as what. The API server compares it.
type Identity struct {
	UID             types.UID
	ResourceVersion string
}

// identityOf returns the identity of an object that was read.
func identityOf(live metav1.Object) Identity {
	return Identity{UID: live.GetUID(), ResourceVersion: live.GetResourceVersion()}
}
