package inventory

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// ClaimField returns managed fields in which a field, with all that is below it, is
// that of the field manager alone, so that its next apply removes the field unless
// it has it. apiVersion is that of the apply. It returns an error if the fields of an
// entry cannot be read.
func ClaimField(
	entries []metav1.ManagedFieldsEntry, manager, apiVersion string, field []string,
) ([]metav1.ManagedFieldsEntry, error) {
	var path fieldpath.Path
	for i := range field {
		path = append(path, fieldpath.PathElement{FieldName: &field[i]})
	}
	claimed := fieldpath.NewSet(path)
	owned := claimed
	ours := metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationApply, APIVersion: apiVersion, FieldsType: "FieldsV1",
	}
	result := make([]metav1.ManagedFieldsEntry, 0, len(entries)+1)
	for _, entry := range entries {
		fields, err := fieldsOf(entry)
		if err != nil {
			return nil, fmt.Errorf("managed fields of %q: %w", entry.Manager, err)
		}
		if isAppliedBy(entry, manager) {
			ours, owned = entry, fields.Union(claimed)
			continue
		}
		if entry, err = withFields(entry, fields.RecursiveDifference(claimed)); err != nil {
			return nil, err
		}
		result = append(result, entry)
	}
	ours, err := withFields(ours, owned)
	return append(result, ours), err
}

// withFields returns a copy of an entry with other fields.
func withFields(entry metav1.ManagedFieldsEntry, fields *fieldpath.Set) (metav1.ManagedFieldsEntry, error) {
	raw, err := fields.ToJSON()
	if err != nil {
		return entry, fmt.Errorf("managed fields of %q: %w", entry.Manager, err)
	}
	entry.FieldsV1 = &metav1.FieldsV1{}
	entry.FieldsV1.SetRawBytes(raw)
	return entry, nil
}
