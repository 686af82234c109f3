package workload

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
)

// event is an event of a watch without its object.
type event struct {
	kind watch.EventType
	// revision is the resource version that the watch reached.
	revision string
	// object is a hash of the object's namespace and name.
	object uint64
	// parts are the IDs of the ApplySets that the object is a member or the parent of,
	// or that applied fields of it.
	parts []string
	// content is a hash of what sets applied to the object.
	content uint64
}

// frame is what is read of an event. Of an error its object is a Status, of a
// bookmark it has a resource version only.
type frame struct {
	Type   watch.EventType `json:"type"`
	Object struct {
		Message  string       `json:"message"`
		Metadata liveMetadata `json:"metadata"`
	} `json:"object"`
}

// liveMetadata is the part of an object's metadata that matters to a watch.
type liveMetadata struct {
	Namespace         string            `json:"namespace"`
	Name              string            `json:"name"`
	UID               types.UID         `json:"uid"`
	ResourceVersion   string            `json:"resourceVersion"`
	DeletionTimestamp json.RawMessage   `json:"deletionTimestamp"`
	Labels            map[string]string `json:"labels"`
	Annotations       map[string]string `json:"annotations"`
	ManagedFields     []managedFields   `json:"managedFields"`
}

type managedFields struct {
	Manager     string                            `json:"manager"`
	Operation   metav1.ManagedFieldsOperationType `json:"operation"`
	Subresource string                            `json:"subresource"`
	FieldsV1    json.RawMessage                   `json:"fieldsV1"`
}

// decodeEvent returns the event of a frame, or the error that the frame reports.
func decodeEvent(text []byte) (event, error) {
	if nodes(text) > maxFrameNodes {
		return event{}, errFrameTooLarge
	}
	var f frame
	if err := json.Unmarshal(text, &f); err != nil {
		return event{}, fmt.Errorf("event of a watch: %w", err)
	}
	live := f.Object.Metadata
	switch f.Type {
	case watch.Bookmark:
		return event{kind: f.Type, revision: live.ResourceVersion}, nil
	case watch.Added, watch.Modified, watch.Deleted:
		return event{
			kind: f.Type, revision: live.ResourceVersion, object: live.identity(),
			parts: live.parts(), content: live.content(),
		}, nil
	default: // watch.Error, too
		return event{}, fmt.Errorf("event %s of a watch: %s", f.Type, f.Object.Message)
	}
}

// hashSeed is of this process: no hash outlives it, and nobody can find two objects
// with one hash.
var hashSeed = maphash.MakeSeed()

// identity returns a hash of the namespace and the name.
func (m *liveMetadata) identity() uint64 {
	return maphash.Comparable(hashSeed, types.NamespacedName{Namespace: m.Namespace, Name: m.Name})
}

// content returns a hash of what sets applied to the object, and of what tells that
// it is another or goes away. If somebody changes a field that a set applied, the
// field leaves the managed fields of the set.
func (m *liveMetadata) content() uint64 {
	var h maphash.Hash
	h.SetSeed(hashSeed)
	maphash.WriteComparable(&h, m.UID)
	maphash.WriteComparable(&h, len(m.DeletionTimestamp) > 0)
	maphash.WriteComparable(&h, m.Labels[inventory.PartOfLabel])
	for _, key := range slices.Sorted(maps.Keys(m.Annotations)) {
		if strings.HasSuffix(key, inventory.SHA256Annotation) {
			maphash.WriteComparable(&h, [2]string{key, m.Annotations[key]})
		}
	}
	maphash.WriteComparable(&h, "managed fields")
	for _, entry := range m.applied() {
		maphash.WriteComparable(&h, [2]string{entry.Manager, string(entry.FieldsV1)})
	}
	return h.Sum64()
}

// parts returns the ID of the ApplySet that a label names, and those of the sets
// that manage fields: one that shares the object, or that lost it when somebody
// changed the label, which no DELETED event reports. A field manager whose name was
// too long names nobody.
func (m *liveMetadata) parts() []string {
	parts := []string{m.Labels[inventory.PartOfLabel], m.Labels[inventory.IDLabel]}
	for _, entry := range m.applied() {
		set := strings.TrimPrefix(entry.Manager, inventory.FieldManager+".")
		if namespace, name, ok := strings.Cut(set, "."); ok {
			parts = append(parts, inventory.ParentOf(namespace, name).ID())
		}
	}
	return parts
}

// applied returns what sets manage, in the order of their names: that of the object
// depends on times.
func (m *liveMetadata) applied() []managedFields {
	entries := slices.DeleteFunc(slices.Clone(m.ManagedFields), func(entry managedFields) bool {
		isSet := entry.Manager == inventory.FieldManager || strings.HasPrefix(entry.Manager, inventory.FieldManager+".")
		return !isSet || entry.Operation != metav1.ManagedFieldsOperationApply || entry.Subresource != ""
	})
	slices.SortFunc(entries, func(a, b managedFields) int { return cmp.Compare(a.Manager, b.Manager) })
	return entries
}
