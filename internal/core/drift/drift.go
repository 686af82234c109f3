package drift

import (
	"encoding/binary"
	"hash/fnv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Sum stands for the fields that a field manager applied to an object. 0 is none.
type Sum uint64

// SumOf returns the sum of the fields of a live object that the field manager applied.
func SumOf(live metav1.Object, manager string) Sum {
	sum := fnv.New64a()
	none := true
	for _, entry := range live.GetManagedFields() {
		if entry.Manager != manager || entry.Operation != metav1.ManagedFieldsOperationApply ||
			entry.Subresource != "" || entry.FieldsV1 == nil {
			continue
		}
		none = false
		_, _ = sum.Write(entry.FieldsV1.GetRawBytes()) // it never fails
	}
	if none {
		return 0
	}
	return Sum(sum.Sum64())
}

// Total adds up the sums of objects, of which each has a name: two objects that
// swap their fields have another total.
type Total struct{ value uint64 }

// Add adds an object. The order does not matter.
func (t *Total) Add(name string, sum Sum) {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name)) // it never fails
	_, _ = hash.Write(binary.LittleEndian.AppendUint64(nil, uint64(sum)))
	t.value += hash.Sum64()
}

// Value returns the total.
func (t *Total) Value() uint64 { return t.value }

// Culprit returns the field manager that wrote a live object last, other than the
// given one and those that write only the status; empty if there is none.
func Culprit(live metav1.Object, manager string) string {
	var last metav1.ManagedFieldsEntry
	for _, entry := range live.GetManagedFields() {
		if entry.Manager == manager || entry.Subresource == "status" || entry.Time == nil {
			continue
		}
		if last.Time == nil || last.Time.Before(entry.Time) {
			last = entry
		}
	}
	return last.Manager
}
