package rollout

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// Cluster is a workload cluster as a pass needs it: one port for each thing that
// a pass does there. A function takes the port that it uses and no more.
//
// Errors of all ports have their class and name the object.
type Cluster interface {
	Applier
	Reader
	Discoverer
}

// Applier writes objects.
type Applier interface {
	// Apply sends the JSON of an object as a server-side apply.
	Apply(ctx context.Context, resource manifest.Resource, ref manifest.Ref, body []byte) error
}

// Reader reads single objects.
type Reader interface {
	// Metadata reads the metadata of an object. It returns nil if the object does
	// not exist, and also if its kind is not served.
	Metadata(ctx context.Context, resource manifest.Resource, ref manifest.Ref) (*metav1.PartialObjectMetadata, error)
	// Object reads a whole object. It returns nil if the object does not exist,
	// and also if its kind is not served.
	Object(ctx context.Context, resource manifest.Resource, ref manifest.Ref) (*unstructured.Unstructured, error)
}

// Discoverer reads which kinds are served.
type Discoverer interface {
	// Resources reads what discovery lists in a group version. It returns none if
	// the group version is not served.
	Resources(ctx context.Context, group, version string) ([]metav1.APIResource, error)
}
