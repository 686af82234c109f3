package rollout

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/definition"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

var _ Cluster = (*memory)(nil)

// memory is a workload cluster in memory.
type memory struct {
	t *testing.T
	// discoveryDelay is how often a group version of an applied
	// CustomResourceDefinition is read before it is served.
	discoveryDelay int
	// workloadDelay is how often a Deployment is read before it is ready.
	workloadDelay int
	// extra is served from the beginning, by group and version.
	extra map[string][]metav1.APIResource
	// fail returns the error of the n-th call, counted from 1, and whether the
	// call takes effect nevertheless, as when the answer is lost.
	fail func(n int, c call) (err error, effective bool)
	// done is told of each call at its end.
	done func(n int, c call)

	mu      sync.Mutex
	objects map[string]*stored
	reads   map[string]int
	calls   []call
}

// stored is one object with how often its bytes were changed and applied.
type stored struct {
	body    []byte
	version int
	applied int
	status  map[string]any
	// manager applied it last; empty for what somebody else made.
	manager string
	// fields are those that it holds: those of its last apply, until somebody takes one.
	fields string
	// finalizer keeps it from being deleted, deleted is when that began.
	finalizer string
	deleted   *metav1.Time
}

// call is one call of the interface: a verb and the path of an object, or a
// group version.
type call struct{ verb, path string }

func newMemory(t *testing.T) *memory {
	t.Helper()
	return &memory{t: t, objects: make(map[string]*stored), reads: make(map[string]int)}
}

func pathOf(r manifest.Resource, ref manifest.Ref) string {
	return path.Join(r.Group, r.Version, ref.Namespace, r.Plural, ref.Name)
}

// count is called with the lock held.
func (m *memory) count(ctx context.Context, c call, effect func()) error {
	m.calls = append(m.calls, c)
	n := len(m.calls)
	if err := ctx.Err(); err != nil {
		return fault.Retry(v1alpha1.ApplyFailedReason, fmt.Errorf("%s: %w", c.path, err))
	}
	err, effective := error(nil), true
	if m.fail != nil {
		err, effective = m.fail(n, c)
	}
	if err == nil || effective {
		effect()
	}
	if m.done != nil {
		m.done(n, c)
	}
	return err
}

// Create is Apply of an object that is not there, or is the caller's.
func (m *memory) Create(
	ctx context.Context, r manifest.Resource, ref manifest.Ref, body []byte, manager string,
) (*metav1.PartialObjectMetadata, error) {
	m.mu.Lock()
	existing := m.objects[pathOf(r, ref)]
	m.mu.Unlock()
	if existing != nil && !bytes.Equal(existing.body, body) {
		return nil, fault.Wait(v1alpha1.ApplyFailedReason, time.Second, fmt.Errorf("%s: %w", ref, inventory.ErrChanged))
	}
	return m.Apply(ctx, r, ref, body, manager)
}

func (m *memory) Apply(
	ctx context.Context, r manifest.Resource, ref manifest.Ref, body []byte, manager string,
) (live *metav1.PartialObjectMetadata, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := pathOf(r, ref)
	err = m.count(ctx, call{"apply", at}, func() {
		m.check(r, ref, body)
		if want := inventory.ParentOf("default", "cni").FieldManager(); manager != want {
			m.t.Errorf("apply %s: want the field manager %s, got %s", ref, want, manager)
		}
		if m.objects[at] == nil {
			m.objects[at] = &stored{}
		}
		object := m.objects[at]
		object.applied++
		object.manager, object.fields = manager, fmt.Sprintf("%x", sha256.Sum256(body))
		if !bytes.Equal(object.body, body) {
			object.version++
			object.body = slices.Clone(body)
		}
		live = m.metadataOf(object)
	})
	if err != nil {
		return nil, err
	}
	return live, nil
}

// check holds what must be true of every apply.
func (m *memory) check(r manifest.Resource, ref manifest.Ref, body []byte) {
	object := &metav1.PartialObjectMetadata{}
	if err := json.Unmarshal(body, object); err != nil || object.Name != ref.Name || object.Kind != ref.Kind {
		m.t.Errorf("apply %s: the body is %s, %v", ref, body, err)
	}
	if r.Plural == "" || r.Namespaced != (ref.Namespace != "") {
		m.t.Errorf("apply %s: the path is %q", ref, pathOf(r, ref))
	}
	parent := inventory.ParentOf("default", "cni")
	if m.objects[parentPath] == nil {
		m.t.Errorf("apply %s: before the parent", ref)
	}
	shared := object.Annotations[parent.SharedAnnotation()] != ""
	if got := object.Labels[inventory.PartOfLabel]; !shared && got != parent.ID() {
		m.t.Errorf("apply %s: want the label of a member, got %q", ref, got)
	}
	if !shared && len(object.Annotations[inventory.SHA256Annotation]) != 64 {
		m.t.Errorf("apply %s: want the annotation of a member, got %v", ref, object.Annotations)
	}
	if _, ok := manifest.BuiltIn(ref.Group, ref.Version, ref.Kind); !ok && len(m.serves(ref.Group, ref.Version)) == 0 {
		m.t.Errorf("apply %s: before its kind is served", ref)
	}
}

// MoveFields has the object forget who wrote it.
func (m *memory) MoveFields(
	ctx context.Context, r manifest.Resource, ref manifest.Ref, _ *metav1.PartialObjectMetadata,
	_ []metav1.ManagedFieldsEntry,
) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count(ctx, call{"move", pathOf(r, ref)}, func() {})
}

// SaveParent counts as an apply of the parent.
func (m *memory) SaveParent(ctx context.Context, parent *corev1.ConfigMap) (kept *corev1.ConfigMap, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	conflict := false
	err = m.count(ctx, call{"apply", parentPath}, func() {
		object := m.objects[parentPath]
		if version := m.versionOf(object); parent.ResourceVersion != version {
			conflict = true
			return
		}
		if object == nil {
			object = &stored{}
			m.objects[parentPath] = object
		}
		object.applied++
		object.version++
		kept = parent.DeepCopy()
		kept.ResourceVersion = m.versionOf(object)
		object.body = encode(m.t, kept)
	})
	if err == nil && conflict {
		err = fault.Wait(v1alpha1.ApplyFailedReason, time.Second, fmt.Errorf("the parent: %w", inventory.ErrChanged))
	}
	return kept, err
}

// versionOf returns the resource version of an object; empty if there is none.
func (m *memory) versionOf(object *stored) string {
	if object == nil {
		return ""
	}
	return strconv.Itoa(object.version)
}

func encode(t *testing.T, object any) []byte {
	t.Helper()
	body, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// List calls each with the objects of a kind that are there.
func (m *memory) List(
	ctx context.Context, r manifest.Resource, namespace, label string, each func(*metav1.PartialObjectMetadata),
) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	prefix := path.Join(r.Group, r.Version)
	key, value, _ := strings.Cut(label, "=")
	return m.count(ctx, call{"list", path.Join(prefix, namespace, r.Plural)}, func() {
		for _, at := range slices.Sorted(maps.Keys(m.objects)) {
			if !strings.HasPrefix(at, prefix+"/") || path.Base(path.Dir(at)) != r.Plural {
				continue
			}
			live := m.metadataOf(m.objects[at])
			if r.Namespaced {
				live.Namespace = path.Base(path.Dir(path.Dir(at)))
			}
			if (namespace == "" || live.Namespace == namespace) && (label == "" || live.Labels[key] == value) {
				each(live)
			}
		}
	})
}

// Objects calls each with the objects of a kind that have the label.
func (m *memory) Objects(
	ctx context.Context, r manifest.Resource, namespace, label string, each func(*unstructured.Unstructured),
) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	prefix := path.Join(r.Group, r.Version)
	key, value, _ := strings.Cut(label, "=")
	return m.count(ctx, call{"objects", path.Join(prefix, namespace, r.Plural)}, func() {
		for _, at := range slices.Sorted(maps.Keys(m.objects)) {
			if !strings.HasPrefix(at, prefix+"/") || path.Base(path.Dir(at)) != r.Plural {
				continue
			}
			live := m.read(at)
			live.SetNamespace(path.Base(path.Dir(path.Dir(at))))
			if live.GetLabels()[key] == value && (namespace == "" || live.GetNamespace() == namespace) {
				each(live)
			}
		}
	})
}

func (m *memory) Metadata(
	ctx context.Context, r manifest.Resource, ref manifest.Ref,
) (live *metav1.PartialObjectMetadata, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := pathOf(r, ref)
	err = m.count(ctx, call{"metadata", at}, func() {
		if object := m.objects[at]; object != nil {
			live = m.metadataOf(object)
		}
	})
	return live, err
}

// metadataOf returns the metadata of an object as the API server keeps it.
func (m *memory) metadataOf(object *stored) *metav1.PartialObjectMetadata {
	live := &metav1.PartialObjectMetadata{}
	if err := json.Unmarshal(object.body, live); err != nil {
		m.t.Error(err)
	}
	live.UID, live.ResourceVersion = "uid", strconv.Itoa(object.version)
	if object.manager != "" {
		live.ManagedFields = []metav1.ManagedFieldsEntry{{
			Manager: object.manager, Operation: metav1.ManagedFieldsOperationApply, FieldsType: "FieldsV1",
			FieldsV1: metav1.NewFieldsV1(fmt.Sprintf(
				`{"f:metadata":{"f:labels":{"f:%s":{}}},"f:sum":{"f:%s":{}}}`, inventory.PartOfLabel, object.fields)),
		}}
	}
	if object.deleted != nil {
		live.DeletionTimestamp, live.Finalizers = object.deleted, []string{object.finalizer}
	}
	return live
}

// Delete removes an object, or has its finalizer keep it.
func (m *memory) Delete(
	ctx context.Context, r manifest.Resource, ref manifest.Ref, live Identity,
) (gone bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := pathOf(r, ref)
	object := m.objects[at]
	if object != nil && live.ResourceVersion != strconv.Itoa(object.version) {
		return false, fault.Wait(v1alpha1.ApplyFailedReason, time.Second, fmt.Errorf("%s: %w", ref, inventory.ErrChanged))
	}
	err = m.count(ctx, call{"delete", at}, func() {
		if gone = object == nil || object.finalizer == ""; gone {
			delete(m.objects, at)
			return
		}
		object.deleted = new(metav1.NewTime(noon))
	})
	return gone, err
}

// LetGo has an object be somebody else's.
func (m *memory) LetGo(
	ctx context.Context, r manifest.Resource, ref manifest.Ref, _ Identity, _ string,
) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count(ctx, call{"let go", pathOf(r, ref)}, func() {})
}

// Preferred counts as one call. Every built-in kind is served, and the kinds of
// CustomResourceDefinitions that are there.
func (m *memory) Preferred(
	ctx context.Context, kinds []schema.GroupKind,
) (map[schema.GroupKind]manifest.Resource, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	resources := make(map[schema.GroupKind]manifest.Resource)
	err := m.count(ctx, call{"preferred", fmt.Sprint(kinds)}, func() {
		for _, kind := range kinds {
			if resource, ok := manifest.BuiltIn(kind.Group, "v1", kind.Kind); ok {
				resources[kind] = resource
			}
			for _, served := range m.serves(kind.Group, "v1") {
				if served.Kind == kind.Kind {
					resources[kind] = manifest.Resource{
						Group: kind.Group, Version: "v1", Plural: served.Name, Namespaced: served.Namespaced,
					}
				}
			}
		}
	})
	return resources, err
}

func (m *memory) Object(
	ctx context.Context, r manifest.Resource, ref manifest.Ref,
) (live *unstructured.Unstructured, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := pathOf(r, ref)
	err = m.count(ctx, call{"object", at}, func() {
		if m.objects[at] != nil {
			live = m.read(at)
		}
	})
	if err != nil {
		return nil, err
	}
	return live, nil
}

// Definitions counts as one call. Each has stored all its versions.
func (m *memory) Definitions(ctx context.Context) (all map[string]definition.Live, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	err = m.count(ctx, call{"definitions", ""}, func() {
		all = make(map[string]definition.Live)
		for at, object := range m.objects {
			if !strings.Contains(at, "/customresourcedefinitions/") {
				continue
			}
			var crd struct {
				Spec struct {
					Group, Scope string
					Names        struct{ Plural, Kind string }
					Versions     []struct{ Name string }
				}
			}
			if err := json.Unmarshal(object.body, &crd); err != nil {
				m.t.Error(err)
			}
			live := definition.Live{
				Group: crd.Spec.Group, Kind: crd.Spec.Names.Kind, Plural: crd.Spec.Names.Plural,
				Namespaced: crd.Spec.Scope == "Namespaced",
			}
			for _, version := range crd.Spec.Versions {
				live.Stored = append(live.Stored, version.Name)
			}
			all[path.Base(at)] = live
		}
	})
	return all, err
}

// read returns an object with its status. It is called with the lock held.
func (m *memory) read(at string) *unstructured.Unstructured {
	live := &unstructured.Unstructured{}
	if err := json.Unmarshal(m.objects[at].body, &live.Object); err != nil {
		m.t.Error(err)
	}
	m.reads[at]++
	live.SetGeneration(1)
	if status := m.statusOf(m.objects[at], live, at); status != nil {
		live.Object["status"] = status
	}
	return live
}

func (m *memory) statusOf(object *stored, live *unstructured.Unstructured, at string) map[string]any {
	switch {
	case object.status != nil:
		return object.status
	case live.GetKind() == "Deployment" && m.reads[at] > m.workloadDelay:
		return readyDeployment
	}
	return nil
}

var readyDeployment = map[string]any{
	"observedGeneration": int64(1), "replicas": int64(1), "updatedReplicas": int64(1),
	"readyReplicas": int64(1), "availableReplicas": int64(1),
	"conditions": []any{map[string]any{"type": "Available", "status": "True"}},
}

func (m *memory) Resources(ctx context.Context, group, version string) (list []metav1.APIResource, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	gv := path.Join(group, version)
	err = m.count(ctx, call{"resources", gv}, func() {
		m.reads[gv]++
		list = m.serves(group, version)
	})
	return list, err
}

// Served counts as one call.
func (m *memory) Served(
	ctx context.Context, groupVersions []metav1.GroupVersion,
) (map[metav1.GroupVersion][]metav1.APIResource, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	served := make(map[metav1.GroupVersion][]metav1.APIResource)
	err := m.count(ctx, call{"served", fmt.Sprint(groupVersions)}, func() {
		for _, gv := range groupVersions {
			m.reads[gv.String()]++
			served[gv] = m.serves(gv.Group, gv.Version)
		}
	})
	return served, err
}

// serves lists what discovery shows of a group version.
func (m *memory) serves(group, version string) []metav1.APIResource {
	gv := path.Join(group, version)
	list := slices.Clone(m.extra[gv])
	if m.reads[gv] <= m.discoveryDelay {
		return list
	}
	for _, at := range slices.Sorted(maps.Keys(m.objects)) {
		if !strings.Contains(at, "/customresourcedefinitions/") {
			continue
		}
		var crd struct {
			Spec struct {
				Group, Scope string
				Names        struct{ Plural, Kind string }
				Versions     []struct{ Name string }
			}
		}
		if err := json.Unmarshal(m.objects[at].body, &crd); err != nil {
			m.t.Error(err)
		}
		if crd.Spec.Group == group && crd.Spec.Versions[0].Name == version {
			list = append(list, metav1.APIResource{
				Name: crd.Spec.Names.Plural, Kind: crd.Spec.Names.Kind, SingularName: strings.ToLower(crd.Spec.Names.Kind),
				Namespaced: crd.Spec.Scope == "Namespaced", Verbs: metav1.Verbs{"create"},
			})
		}
	}
	return list
}

// take returns the calls of the given verb since the last take, in their order,
// and forgets all calls.
func (m *memory) take(verb string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var paths []string
	for _, c := range m.calls {
		if c.verb == verb {
			paths = append(paths, c.path)
		}
	}
	m.calls = nil
	return paths
}

// applied returns how many applies of objects but the parent there were.
func (m *memory) applied() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for at, object := range m.objects {
		if at != parentPath {
			n += object.applied
		}
	}
	return n
}

// put stores an object as somebody else made it.
func (m *memory) put(at string, object map[string]any) {
	body, err := json.Marshal(object)
	if err != nil {
		m.t.Fatal(err)
	}
	var version int
	if before := m.objects[at]; before != nil {
		version = before.version
	}
	m.objects[at] = &stored{body: body, version: version}
}

// parent returns the parent and what it holds.
func (m *memory) parent() (*corev1.ConfigMap, inventory.Record) {
	m.t.Helper()
	parent := &corev1.ConfigMap{}
	if object := m.objects[parentPath]; object != nil {
		if err := json.Unmarshal(object.body, parent); err != nil {
			m.t.Fatal(err)
		}
	}
	return parent, inventory.RecordOf(parent)
}

// versionPattern finds the resource version of the parent, which counts its writes.
var versionPattern = regexp.MustCompile(`"resourceVersion":"\d+",`)

// bodies returns the content of the cluster.
func (m *memory) bodies() map[string]string {
	all := make(map[string]string)
	for at, object := range m.objects {
		all[at] = versionPattern.ReplaceAllString(string(object.body), "")
	}
	return all
}
