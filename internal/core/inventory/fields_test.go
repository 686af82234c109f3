package inventory

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// at returns the entry with a time, in seconds.
func at(seconds int64, entry metav1.ManagedFieldsEntry) metav1.ManagedFieldsEntry {
	entry.Time = &metav1.Time{Time: time.Unix(seconds, 0)}
	return entry
}

// of returns the entry with another API version.
func of(version string, entry metav1.ManagedFieldsEntry) metav1.ManagedFieldsEntry {
	entry.APIVersion = version
	return entry
}

// status returns the entry as one of the subresource status.
func status(entry metav1.ManagedFieldsEntry) metav1.ManagedFieldsEntry {
	entry.Subresource = "status"
	return entry
}

// fromManagers returns a function that selects the entries of field managers.
func fromManagers(names ...string) func(metav1.ManagedFieldsEntry) bool {
	return func(e metav1.ManagedFieldsEntry) bool { return slices.Contains(names, e.Manager) }
}

const (
	fieldA  = `{"f:data":{"f:a":{}}}`
	fieldB  = `{"f:data":{"f:b":{}}}`
	fieldC  = `{"f:data":{"f:c":{}}}`
	fieldAB = `{"f:data":{"f:a":{},"f:b":{}}}`
)

func TestMoveFields(t *testing.T) {
	t.Parallel()
	type entries = []metav1.ManagedFieldsEntry
	tests := map[string]struct {
		given entries
		want  entries // those given, and unchanged, if nil
	}{
		"nothing is there":        {},
		"nothing is selected":     {given: entries{updated("edit", fieldA)}},
		"it is all there already": {given: entries{applied("to", fieldA), updated("edit", fieldB)}},
		"an update becomes an apply": {
			given: entries{at(1, updated("old", fieldA))},
			want:  entries{at(1, applied("to", fieldA))},
		},
		"an apply becomes that of another": {
			given: entries{at(1, applied("old", fieldA))},
			want:  entries{at(1, applied("to", fieldA))},
		},
		"fields go to those that it has": {
			given: entries{at(2, applied("to", fieldA)), at(1, updated("old", fieldB))},
			want:  entries{at(2, applied("to", fieldAB))},
		},
		"two entries become one in the place of the first": {
			given: entries{
				updated("edit", fieldC), at(1, updated("old", fieldA)),
				status(updated("edit", fieldC)), at(2, updated("older", fieldB)),
			},
			want: entries{updated("edit", fieldC), at(2, applied("to", fieldAB)), status(updated("edit", fieldC))},
		},
		"the same manager with both operations": {
			given: entries{applied("old", fieldA), updated("old", fieldB)},
			want:  entries{applied("to", fieldAB)},
		},
		"a field that both have": {
			given: entries{applied("to", fieldAB), updated("old", fieldB)},
			want:  entries{applied("to", fieldAB)},
		},
		"what it updated is not what it applied": {
			given: entries{updated("to", fieldA), updated("old", fieldB)},
			want:  entries{updated("to", fieldA), applied("to", fieldB)},
		},
		"entries of a subresource stay": {
			given: entries{status(updated("old", fieldA)), status(applied("to", fieldB)), updated("old", fieldC)},
			want:  entries{status(updated("old", fieldA)), status(applied("to", fieldB)), applied("to", fieldC)},
		},
		"only a subresource is selected": {given: entries{status(updated("old", fieldA))}},
		"the API version that it applied stays": {
			given: entries{at(1, of("v2", applied("to", fieldA))), at(2, of("v1", updated("old", fieldB)))},
			want:  entries{at(2, of("v2", applied("to", fieldAB)))},
		},
		"the newest API version of several, and the fields of all": {
			given: entries{at(1, of("v1", updated("old", fieldA))), at(2, of("v2", updated("old", fieldB)))},
			want:  entries{at(2, of("v2", applied("to", fieldAB)))},
		},
		"the first API version when nobody knows the times": {
			given: entries{of("v1", updated("old", fieldA)), of("v2", updated("old", fieldB))},
			want:  entries{of("v1", applied("to", fieldAB))},
		},
		"an entry without fields": {
			given: entries{{Manager: "old", Operation: "Update", APIVersion: "v1"}},
			want:  entries{applied("to", `{}`)},
		},
		"items of a list, by key and by value": {
			given: entries{
				updated("old", `{"f:spec":{"f:ports":{".":{},"k:{\"port\":9402,\"protocol\":\"TCP\"}":{".":{},"f:port":{}}}}}`),
				updated("older", `{"f:metadata":{"f:finalizers":{".":{},"v:\"x\"":{}}}}`),
			},
			want: entries{applied("to", `{"f:metadata":{"f:finalizers":{".":{},"v:\"x\"":{}}},`+
				`"f:spec":{"f:ports":{".":{},"k:{\"port\":9402,\"protocol\":\"TCP\"}":{".":{},"f:port":{}}}}}`)},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, err := json.Marshal(test.given)
			if err != nil {
				t.Fatal(err)
			}
			want := test.want
			if want == nil {
				want = test.given
			}
			got, changed, err := MoveFields(test.given, "to", fromManagers("old", "older"))
			if err != nil || changed != (test.want != nil) {
				t.Errorf("want a change: %t, got %t, %v", test.want != nil, changed, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if after, err := json.Marshal(test.given); err != nil || string(after) != string(before) {
				t.Errorf("what was given changed: %s, %v", after, err)
			}
			again, changed, err := MoveFields(got, "to", fromManagers("old", "older"))
			if diff := cmp.Diff(got, again); diff != "" || changed || err != nil {
				t.Errorf("moved twice: %t, %v, (-want +got):\n%s", changed, err, diff)
			}
		})
	}
}

func TestFieldsThatCannotBeReadAreAnError(t *testing.T) {
	t.Parallel()
	tests := map[string][]metav1.ManagedFieldsEntry{
		"of the entry that is moved": {updated("old", `{"f:data"`)},
		"of the entry that it has":   {updated("old", fieldA), applied("to", `[]`)},
	}
	for name, given := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, changed, err := MoveFields(given, "to", fromManagers("old"))
			if got != nil || changed || err == nil || !strings.HasPrefix(err.Error(), `managed fields of "`) {
				t.Errorf("want an error that names the field manager, got %v, %t, %v", got, changed, err)
			}
		})
	}
	unread := []metav1.ManagedFieldsEntry{updated("edit", `{"f:data"`), updated("old", fieldA)}
	if _, changed, err := MoveFields(unread, "to", fromManagers("old")); !changed || err != nil {
		t.Errorf("want what is not moved not read, got %t, %v", changed, err)
	}
}

// FuzzMoveFields checks that no field is lost or invented, and that what is not
// selected stays as it was. Each byte of shape stands for one entry: two bits for
// its manager, one for its operation, one for a subresource, one for its API
// version, the others for its fields.
func FuzzMoveFields(f *testing.F) {
	f.Add([]byte{0x00, 0xff, 0x21}, fieldA, `{"f:spec":{"f:ports":{"k:{\"port\":1}":{".":{},"f:name":{}}}}}`)
	f.Add([]byte{0xe0, 0x64, 0xa8, 0x41}, `{"f:a":{".":{},"f:b":{}},"i:3":{}}`, `{"v:\"x\"":{}}`)
	f.Add([]byte{0x60}, `{"f:a"`, ``)
	f.Fuzz(func(t *testing.T, shape []byte, first, second string) {
		given := entriesOf(shape, fieldA, first, second)
		from := fromManagers("old", "older")
		got, changed, err := MoveFields(given, "to", from)
		if err != nil {
			return
		}
		selected := func(e metav1.ManagedFieldsEntry) bool { return e.Subresource == "" && from(e) }
		if changed != slices.ContainsFunc(given, selected) || slices.ContainsFunc(got, selected) {
			t.Fatalf("want what is selected moved, got %t, %v", changed, got)
		}
		isOther := func(e metav1.ManagedFieldsEntry) bool { return !selected(e) && !isAppliedBy(e, "to") }
		if diff := cmp.Diff(where(given, isOther), where(got, isOther)); diff != "" {
			t.Errorf("what is not selected (-want +got):\n%s", diff)
		}
		isMine := func(e metav1.ManagedFieldsEntry) bool { return !isOther(e) }
		if !changed {
			return
		}
		if want, have := union(t, where(given, isMine)), union(t, where(got, isMine)); !want.Equals(have) {
			t.Errorf("want the fields %s, got %s", want, have)
		}
		if n := len(where(got, isMine)); n != 1 {
			t.Errorf("want one entry of the field manager, got %d", n)
		}
	})
}

// entriesOf makes entries as the API server may have them: no two have the same
// manager, operation and subresource, and API version if they are updates.
func entriesOf(shape []byte, fields ...string) []metav1.ManagedFieldsEntry {
	unique := make(map[string]metav1.ManagedFieldsEntry)
	for i, b := range shape {
		entry := updated([]string{"to", "old", "older", "edit"}[b&3], fields[int(b>>5)%len(fields)])
		entry.APIVersion = []string{"v1", "v2"}[b>>4&1]
		key := entry.APIVersion
		if b&4 != 0 {
			entry.Operation, key = metav1.ManagedFieldsOperationApply, ""
		}
		if b&8 != 0 {
			entry.Subresource = "status"
		}
		key += entry.Manager + string(entry.Operation) + entry.Subresource
		unique[key] = at(int64(i), entry)
	}
	var entries []metav1.ManagedFieldsEntry
	for _, key := range slices.Sorted(maps.Keys(unique)) {
		entries = append(entries, unique[key])
	}
	return entries
}

func where(
	entries []metav1.ManagedFieldsEntry, holds func(metav1.ManagedFieldsEntry) bool,
) (found []metav1.ManagedFieldsEntry) {
	for _, e := range entries {
		if holds(e) {
			found = append(found, e)
		}
	}
	return found
}

func union(t *testing.T, entries []metav1.ManagedFieldsEntry) *fieldpath.Set {
	t.Helper()
	all := &fieldpath.Set{}
	for _, e := range entries {
		fields, err := fieldsOf(e)
		if err != nil {
			t.Fatal(err)
		}
		all = all.Union(fields)
	}
	return all
}
