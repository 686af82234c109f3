package drift

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const us = "caapb.team-a.cni"

// entry returns an entry of managed fields, written so many seconds after a time.
func entry(manager, subresource, fields string, seconds int64) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationApply, Subresource: subresource,
		FieldsV1: metav1.NewFieldsV1(fields), Time: new(metav1.NewTime(time.Unix(seconds, 0))),
	}
}

func live(entries ...metav1.ManagedFieldsEntry) *metav1.ObjectMeta {
	return &metav1.ObjectMeta{ManagedFields: entries}
}

func TestOnlyTheFieldsOfTheManagerCount(t *testing.T) {
	t.Parallel()
	applied := SumOf(live(entry(us, "", `{"f:data":{"f:a":{},"f:b":{}}}`, 1)), us)
	updated := entry(us, "", `{"f:data":{"f:a":{}}}`, 1)
	updated.Operation = metav1.ManagedFieldsOperationUpdate
	tests := map[string]struct {
		given *metav1.ObjectMeta
		want  bool // the same sum
	}{
		"at another time": {live(entry(us, "", `{"f:data":{"f:a":{},"f:b":{}}}`, 9)), true},
		"beside fields of others": {
			live(entry("other", "", `{"f:data":{"f:c":{}}}`, 1), entry(us, "", `{"f:data":{"f:a":{},"f:b":{}}}`, 1)), true,
		},
		"beside its own status and updates": {
			live(entry(us, "", `{"f:data":{"f:a":{},"f:b":{}}}`, 1), entry(us, "status", `{"f:status":{}}`, 1), updated), true,
		},
		"without a field that another took": {live(entry(us, "", `{"f:data":{"f:a":{}}}`, 1)), false},
		"without any field":                 {live(entry("other", "", `{"f:data":{"f:a":{}}}`, 1)), false},
	}
	for name, test := range tests {
		if got := SumOf(test.given, us) == applied; got != test.want {
			t.Errorf("%s: want the same sum %t, got %t", name, test.want, got)
		}
	}
	if SumOf(live(), us) != 0 {
		t.Error("want no sum without fields")
	}
}

func TestATotalKnowsWhichObjectHasWhichFields(t *testing.T) {
	t.Parallel()
	total := func(names []string, sums []Sum) uint64 {
		var all Total
		for i, name := range names {
			all.Add(name, sums[i])
		}
		return all.Value()
	}
	want := total([]string{"a", "b"}, []Sum{1, 2})
	if total([]string{"b", "a"}, []Sum{2, 1}) != want {
		t.Error("want the order not to matter")
	}
	for _, other := range [][]Sum{{2, 1}, {1, 3}, {0, 2}} {
		if total([]string{"a", "b"}, other) == want {
			t.Errorf("want another total for %v", other)
		}
	}
	if total([]string{"a"}, []Sum{1}) == want {
		t.Error("want another total for fewer objects")
	}
}

func TestTheCulpritIsWhoWroteLast(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given *metav1.ObjectMeta
		want  string
	}{
		"nobody":           {live(entry(us, "", `{}`, 1)), ""},
		"the last of two":  {live(entry("first", "", `{}`, 1), entry("second", "", `{}`, 2), entry(us, "", `{}`, 3)), "second"},
		"not by status":    {live(entry("first", "", `{}`, 1), entry("kubelet", "status", `{}`, 2)), "first"},
		"also by scaling":  {live(entry("first", "", `{}`, 1), entry("hpa", "scale", `{}`, 2)), "hpa"},
		"without any time": {live(metav1.ManagedFieldsEntry{Manager: "old"}), ""},
	}
	for name, test := range tests {
		if got := Culprit(test.given, us); got != test.want {
			t.Errorf("%s: want %q, got %q", name, test.want, got)
		}
	}
}
