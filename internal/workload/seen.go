package workload

import (
	"cmp"
	"encoding/json"
	"strconv"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

// seen is what the requests of one pass saw: where a watch has to begin so that it
// misses nothing that happened since. The methods of nil note nothing.
type seen struct {
	mu sync.Mutex
	// kinds and parents, the latter by the ID of their ApplySet, are guarded by mu.
	kinds   map[manifest.Resource]*seenKind
	parents map[string]revision
}

// revision is a resource version, which the API server counts up; 0 if it is unknown.
type revision uint64

func revisionOf(resourceVersion string) revision {
	n, _ := strconv.ParseUint(resourceVersion, 10, 64)
	return revision(n)
}

// String returns the resource version; empty if it is unknown.
func (r revision) String() string {
	if r == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(r), 10)
}

// seenKind is what was seen of the objects of a kind.
type seenKind struct {
	// lists are the revisions of lists, objects those at which an object was read or
	// written by itself last, by the hash that its events have.
	lists   []revision
	objects map[uint64]revision
	// contents are the hashes of what sets applied, as in the events.
	contents map[uint64]uint64
}

func newSeen() *seen {
	return &seen{kinds: make(map[manifest.Resource]*seenKind), parents: make(map[string]revision)}
}

// kind returns what was seen of a kind. The caller holds s.mu.
func (s *seen) kind(resource manifest.Resource) *seenKind {
	if s.kinds[resource] == nil {
		s.kinds[resource] = &seenKind{objects: make(map[uint64]revision), contents: make(map[uint64]uint64)}
	}
	return s.kinds[resource]
}

// noteList notes a list of objects. Of these only members are noted, since watches
// report no others.
func (s *seen) noteList(resource manifest.Resource, resourceVersion string, objects []metav1.PartialObjectMetadata) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := s.kind(resource)
	kind.lists = append(kind.lists, revisionOf(resourceVersion))
	for i := range objects {
		if objects[i].Labels[inventory.PartOfLabel] != "" {
			kind.noteContent(&objects[i].ObjectMeta)
		}
	}
}

// noteObject notes one object that was read or written by itself. What was seen of it
// before does not matter any more. Without live its content is not known.
func (s *seen) noteObject(resource manifest.Resource, ref manifest.Ref, resourceVersion string, live *metav1.PartialObjectMetadata) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := s.kind(resource)
	at := liveMetadata{Namespace: ref.Namespace, Name: ref.Name}
	kind.objects[at.identity()] = revisionOf(resourceVersion)
	if live != nil {
		kind.noteContent(&live.ObjectMeta)
	}
}

func (k *seenKind) noteContent(live *metav1.ObjectMeta) {
	m := metadataOf(live)
	k.contents[m.identity()] = m.content()
}

// noteRead notes that something of a kind was read at a revision that is not known: it is
// not before those that are.
func (s *seen) noteRead(resource manifest.Resource) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if kind := s.kind(resource); kind.first() == 0 {
		kind.lists = append(kind.lists, 0)
	}
}

// noteParent notes the parent of an inventory as it was read or written last.
func (s *seen) noteParent(live metav1.Object, resourceVersion string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parents[live.GetLabels()[inventory.IDLabel]] = revisionOf(resourceVersion)
}

// beginning is where a watch begins: behind which revision, and what sets had applied to
// the objects that it may report.
type beginning struct {
	from     revision
	contents map[uint64]uint64
}

// beginnings returns where the watches for subscriptions have to begin, by their target.
// Without a revision it is not known.
func (s *seen) beginnings(of []subscription) map[rollout.Target]beginning {
	all := make(map[rollout.Target]beginning, len(of))
	if s == nil {
		return all
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, to := range of {
		own := s.beginning(to)
		if before, ok := all[to.target]; ok {
			own.from = min(own.from, before.from)
		}
		all[to.target] = own
	}
	return all
}

// beginning is that of one subscription. The caller holds s.mu.
func (s *seen) beginning(of subscription) beginning {
	if of.target.Label == inventory.IDLabel {
		return beginning{from: s.parents[of.part]}
	}
	kind := s.kinds[of.target.Resource]
	if kind == nil {
		return beginning{}
	}
	return beginning{from: kind.first(), contents: kind.contents}
}

// first returns the first of the revisions; 0 if one of them is unknown.
func (k *seenKind) first() revision {
	var first revision
	for _, of := range k.objects {
		if of == 0 {
			return 0
		}
		first = min(cmp.Or(first, of), of)
	}
	for _, of := range k.lists {
		if of == 0 {
			return 0
		}
		first = min(cmp.Or(first, of), of)
	}
	return first
}

// metadataOf returns the part of an object's metadata that matters to a watch.
func metadataOf(m *metav1.ObjectMeta) *liveMetadata {
	live := &liveMetadata{
		Namespace: m.Namespace, Name: m.Name, UID: m.UID, Labels: m.Labels, Annotations: m.Annotations,
	}
	if m.DeletionTimestamp != nil {
		live.DeletionTimestamp = json.RawMessage("true") // that there is one is what counts
	}
	for _, entry := range m.ManagedFields {
		fields := managedFields{Manager: entry.Manager, Operation: entry.Operation, Subresource: entry.Subresource}
		if entry.FieldsV1 != nil {
			fields.FieldsV1 = entry.FieldsV1.GetRawBytes()
		}
		live.ManagedFields = append(live.ManagedFields, fields)
	}
	return live
}
