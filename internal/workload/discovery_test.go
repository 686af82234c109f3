package workload

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestServed(t *testing.T) {
	t.Parallel()
	apps, batch := metav1.GroupVersion{Group: "apps", Version: "v1"}, metav1.GroupVersion{Group: "batch", Version: "v1"}
	absent := metav1.GroupVersion{Group: "example.com", Version: "v1"}
	// withoutAggregation is a server that has only the discovery of each group version.
	withoutAggregation := func(_ http.ResponseWriter, r *http.Request, _ testenv.Request) bool {
		r.Header.Set("Accept", acceptJSON)
		return false
	}
	tests := map[string]struct {
		given        []metav1.GroupVersion
		givenFault   testenv.Fault
		wantRequests []string
	}{
		"several group versions are one request": {
			given: []metav1.GroupVersion{apps, batch, absent}, wantRequests: []string{"/apis"},
		},
		"one group version is asked for alone": {
			given: []metav1.GroupVersion{apps}, wantRequests: []string{"/apis/apps/v1"},
		},
		"a server without aggregated discovery is asked for each": {
			given: []metav1.GroupVersion{apps, batch, absent}, givenFault: withoutAggregation,
			wantRequests: []string{"/apis", "/apis/apps/v1", "/apis/batch/v1", "/apis/example.com/v1"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := testenv.NewProxy(t, testenv.SharedWorkload(t).APIServer)
			proxy.SetFault(tc.givenFault)
			served, err := newClient(t, proxy.Config).Served(t.Context(), tc.given)
			if err != nil {
				t.Fatal(err)
			}
			var paths []string
			for _, r := range proxy.Requests() {
				paths = append(paths, r.Path)
			}
			if diff := cmp.Diff(tc.wantRequests, paths); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			direct := newClient(t, testenv.SharedWorkload(t).Config)
			for _, gv := range tc.given {
				want, err := direct.Resources(t.Context(), gv.Group, gv.Version)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(inBothForms(want), inBothForms(served[gv]), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s (-want +got):\n%s", gv, diff)
				}
			}
		})
	}
}

// inBothForms returns what both forms of discovery have of resources, sorted.
func inBothForms(resources []metav1.APIResource) []metav1.APIResource {
	var all []metav1.APIResource
	for _, r := range resources {
		if strings.Contains(r.Name, "/") {
			continue
		}
		slices.Sort(r.Verbs)
		all = append(all, metav1.APIResource{
			Name: r.Name, SingularName: r.SingularName, Kind: r.Kind, Namespaced: r.Namespaced,
			ShortNames: r.ShortNames, Verbs: r.Verbs,
		})
	}
	slices.SortFunc(all, func(a, b metav1.APIResource) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func TestObjectsAreThoseThatALabelSelects(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	c := newClient(t, w.Config)
	part := "part-" + ns
	member(t, c, ns, "ours", part, "1")
	member(t, c, ns, "theirs", "another", "2")
	for name, namespace := range map[string]string{"in a namespace": ns, "in all namespaces": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var found []*unstructured.Unstructured
			err := c.Objects(t.Context(), core(t, "ConfigMap"), namespace, inventory.PartOfLabel+"="+part,
				func(o *unstructured.Unstructured) { found = append(found, o) })
			if err != nil || len(found) != 1 {
				t.Fatalf("want one object, got %v, %v", found, err)
			}
			o := found[0]
			value, _, _ := unstructured.NestedString(o.Object, "data", "value")
			if o.GetKind() != "ConfigMap" || o.GetAPIVersion() != "v1" || o.GetName() != "ours" || value != "1" {
				t.Errorf("want the whole ConfigMap with its kind, got %v", o.Object)
			}
		})
	}
}

func TestObjectsOfAKindThatIsNotServedAreNone(t *testing.T) {
	t.Parallel()
	c := newClient(t, testenv.SharedWorkload(t).Config)
	err := c.Objects(t.Context(), bookshop, "", "a=b", func(o *unstructured.Unstructured) { t.Errorf("got %v", o) })
	if err != nil {
		t.Error(err)
	}
}
