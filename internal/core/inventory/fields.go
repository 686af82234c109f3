package inventory

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// MoveFields returns managed fields in which those entries that from selects, of
// any operation, are one entry of the field manager to with operation Apply,
// together with the one that it has already. Others, and all entries of
// subresources, stay as they are. It reports whether anything changed, and returns
// an error if the fields of an entry cannot be read.
//
// It does what k8s.io/client-go/util/csaupgrade does, and more: that moves only
// entries of operation Update, and loses the fields of those with another API version.
func MoveFields(
	entries []metav1.ManagedFieldsEntry, to string, from func(metav1.ManagedFieldsEntry) bool,
) (moved []metav1.ManagedFieldsEntry, changed bool, err error) {
	var merged []metav1.ManagedFieldsEntry
	place := -1
	for _, entry := range entries {
		isTarget := isAppliedBy(entry, to)
		selected := !isTarget && entry.Subresource == "" && from(entry)
		if !isTarget && !selected {
			moved = append(moved, entry)
			continue
		}
		if place < 0 {
			place = len(moved)
		}
		merged = append(merged, entry)
		changed = changed || selected
	}
	if !changed {
		return entries, false, nil
	}
	target, err := merge(merged, to)
	if err != nil {
		return nil, false, err
	}
	return slices.Insert(moved, place, target), true, nil
}

// merge returns one entry with the fields of all, which has the time of the
// newest. Its API version is that of the entry of the field manager, which the API
// server holds to be that of its last apply, else that of the newest.
func merge(entries []metav1.ManagedFieldsEntry, manager string) (metav1.ManagedFieldsEntry, error) {
	target, fields := entries[0], &fieldpath.Set{}
	version := ""
	for _, entry := range entries {
		set, err := fieldsOf(entry)
		if err != nil {
			return target, fmt.Errorf("managed fields of %q: %w", entry.Manager, err)
		}
		fields = fields.Union(set)
		if isAppliedBy(entry, manager) {
			version = entry.APIVersion
		}
		if entry.Time != nil && (target.Time == nil || target.Time.Before(entry.Time)) {
			target = entry
		}
	}
	raw, err := fields.ToJSON()
	if err != nil {
		return target, fmt.Errorf("managed fields of %q: %w", manager, err)
	}
	if version != "" {
		target.APIVersion = version
	}
	target.Manager, target.Operation = manager, metav1.ManagedFieldsOperationApply
	target.FieldsType, target.FieldsV1 = "FieldsV1", &metav1.FieldsV1{}
	target.FieldsV1.SetRawBytes(raw)
	return target, nil
}

// isAppliedBy reports whether the entry is the one of the objects that the field
// manager applies.
func isAppliedBy(e metav1.ManagedFieldsEntry, manager string) bool {
	return e.Manager == manager && e.Operation == metav1.ManagedFieldsOperationApply && e.Subresource == ""
}

// owns reports whether the entry holds the field. What cannot be read holds none.
func owns(e metav1.ManagedFieldsEntry, field fieldpath.Path) bool {
	fields, err := fieldsOf(e)
	return err == nil && fields.Has(field)
}

func fieldsOf(e metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	fields := &fieldpath.Set{}
	if e.FieldsV1 == nil {
		return fields, nil
	}
	return fields, fields.FromJSON(e.FieldsV1.GetRawReader())
}
