package rollout

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sync/semaphore"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/definition"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// BenchmarkPass makes a pass for Calico v3.32.1, 43 objects in three phases, on
// a cluster that answers at once: what is left is the work of the pass itself.
// The first applies every object, the others look whether all is well.
func BenchmarkPass(b *testing.B) {
	release := calico(b)
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(sizeOf(release.Plan))
		for b.Loop() {
			if o := calicoRollout(release).Run(b.Context()); o.Err != nil {
				b.Fatal(o.Err)
			}
		}
	})
	b.Run("complete", func(b *testing.B) {
		r := calicoRollout(release)
		if o := r.Run(b.Context()); o.Err != nil || !o.Applied() {
			b.Fatalf("want everything applied, got %v", o.Err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if o := r.Run(b.Context()); o.Err != nil {
				b.Fatal(o.Err)
			}
		}
	})
}

// calico plans Calico v3.32.1, or skips.
func calico(b *testing.B) Release {
	b.Helper()
	dir := filepath.Join(cmp.Or(os.Getenv("BUNDLES_DIR"), "../../../../shared/bundles"), "calico", "v3.32.1")
	var phases []written
	for _, name := range []string{"operator-crds", "tigera-operator", "custom-resources"} {
		content, err := os.ReadFile(filepath.Join(dir, name+".yaml"))
		if err != nil {
			b.Skip("no upstream bundles: set BUNDLES_DIR to a folder that holds them: ", err)
		}
		phases = append(phases, written{name: name, documents: []string{string(content)}})
	}
	release := releaseOf(b, "sha256:1", phases...)
	const want = 43
	n := 0
	for range release.Plan.All {
		n++
	}
	if n != want {
		b.Fatalf("want %d objects, got %d", want, n)
	}
	return release
}

// calicoRollout is the release on a new cluster, with room for its large objects.
func calicoRollout(release Release) Rollout {
	r := rolloutOf(newInstant(release.Plan), release)
	r.Budget = semaphore.NewWeighted(64 << 20)
	return r
}

// sizeOf is how many bytes the objects of a plan have.
func sizeOf(p *plan.Plan) int64 {
	var size int64
	for object := range p.All {
		size += object.Length
	}
	return size
}

var _ Cluster = (*instant)(nil)

// instant is a cluster that serves every kind of a plan, in which every workload
// is ready, and which keeps nothing but the parent.
type instant struct {
	resources map[metav1.GroupVersion][]metav1.APIResource
	parent    []byte
}

func newInstant(p *plan.Plan) *instant {
	c := &instant{resources: make(map[metav1.GroupVersion][]metav1.APIResource)}
	for object := range p.All {
		if object.CRD == nil {
			continue
		}
		for _, version := range object.CRD.Served {
			gv := metav1.GroupVersion{Group: object.CRD.Group, Version: version}
			c.resources[gv] = append(c.resources[gv], metav1.APIResource{
				Name: object.CRD.Plural, Kind: object.CRD.Kind, Namespaced: object.CRD.Namespaced,
				SingularName: object.CRD.Singular, ShortNames: object.CRD.ShortNames,
			})
		}
	}
	return c
}

func (c *instant) Create(
	context.Context, manifest.Resource, manifest.Ref, []byte, string,
) (*metav1.PartialObjectMetadata, error) {
	return &metav1.PartialObjectMetadata{}, nil
}

func (c *instant) Apply(
	context.Context, manifest.Resource, manifest.Ref, []byte, string,
) (*metav1.PartialObjectMetadata, error) {
	return &metav1.PartialObjectMetadata{}, nil
}

func (c *instant) MoveFields(
	context.Context, manifest.Resource, manifest.Ref, *metav1.PartialObjectMetadata, []metav1.ManagedFieldsEntry,
) error {
	return nil
}

func (c *instant) Delete(context.Context, manifest.Resource, manifest.Ref, Identity) (bool, error) {
	return true, nil
}

func (c *instant) Definitions(context.Context) (map[string]definition.Live, error) { return nil, nil }

func (c *instant) LetGo(context.Context, manifest.Resource, manifest.Ref, Identity, string) error {
	return nil
}

func (c *instant) Preferred(
	context.Context, []schema.GroupKind,
) (map[schema.GroupKind]manifest.Resource, error) {
	return nil, nil
}

func (c *instant) SaveParent(_ context.Context, parent *corev1.ConfigMap) (*corev1.ConfigMap, error) {
	stored := parent.DeepCopy()
	stored.ResourceVersion = "1"
	var err error
	c.parent, err = json.Marshal(stored)
	return stored, err
}

func (c *instant) List(
	context.Context, manifest.Resource, string, string, func(*metav1.PartialObjectMetadata),
) error {
	return nil
}

func (c *instant) Objects(
	context.Context, manifest.Resource, string, string, func(*unstructured.Unstructured),
) error {
	return nil
}

func (c *instant) Served(
	_ context.Context, groupVersions []metav1.GroupVersion,
) (map[metav1.GroupVersion][]metav1.APIResource, error) {
	served := make(map[metav1.GroupVersion][]metav1.APIResource)
	for _, gv := range groupVersions {
		served[gv] = c.resources[gv]
	}
	return served, nil
}

func (c *instant) Metadata(
	context.Context, manifest.Resource, manifest.Ref,
) (*metav1.PartialObjectMetadata, error) {
	return nil, nil //nolint:nilnil // that is what the interface asks for: the object does not exist
}

func (c *instant) Object(
	_ context.Context, _ manifest.Resource, ref manifest.Ref,
) (*unstructured.Unstructured, error) {
	live := &unstructured.Unstructured{}
	if isParent(ref) {
		if c.parent == nil {
			return nil, nil //nolint:nilnil // as above
		}
		return live, json.Unmarshal(c.parent, &live.Object)
	}
	live.Object = map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "status": readyDeployment,
		"metadata": map[string]any{"name": ref.Name, "namespace": ref.Namespace, "generation": int64(1)},
	}
	return live, nil
}

func (c *instant) Resources(_ context.Context, group, version string) ([]metav1.APIResource, error) {
	return c.resources[metav1.GroupVersion{Group: group, Version: version}], nil
}

func isParent(ref manifest.Ref) bool { return ref.Name == inventory.ParentOf("default", "cni").Name() }
