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
	// part is the ID of the ApplySet that the object is a member of.
	part string
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
			part: live.Labels[inventory.PartOfLabel], content: live.content(),
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
