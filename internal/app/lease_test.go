package app

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

func TestManagersForOtherObjectsHaveOtherLeases(t *testing.T) {
	t.Parallel()
	leases := make(map[string]ManagerOptions)
	for _, o := range []ManagerOptions{
		{}, {WatchFilter: "one"}, {WatchFilter: "One_x"}, {Namespace: "one"}, {Namespace: "one", WatchFilter: "one"},
		{Namespace: strings.Repeat("n", 63), WatchFilter: strings.Repeat("f", 63)},
	} {
		lease := leaseName(o)
		if other, ok := leases[lease]; ok {
			t.Errorf("%+v and %+v have the lease %s", o, other, lease)
		}
		if problems := validation.IsDNS1123Subdomain(lease); len(problems) > 0 || lease != leaseName(o) {
			t.Errorf("%s: want the name of a lease, always the same: %v", lease, problems)
		}
		leases[lease] = o
	}
	if leaseName(ManagerOptions{}) != name {
		t.Error("want the plain name of a manager for all objects")
	}
}
