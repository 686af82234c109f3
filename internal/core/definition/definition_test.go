package definition

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

func TestLosses(t *testing.T) {
	t.Parallel()
	live := Live{Group: "example.com", Kind: "Widget", Plural: "widgets", Namespaced: true, Stored: []string{"v1alpha1", "v1"}}
	tests := map[string]struct {
		given manifest.CRD
		want  []string
	}{
		"a version comes": {
			given: manifest.CRD{Kind: "Widget", Namespaced: true, Versions: []string{"v1", "v1alpha1", "v2"}},
		},
		"a version is no longer served": {
			given: manifest.CRD{Kind: "Widget", Namespaced: true, Versions: []string{"v1", "v1alpha1"}, Served: []string{"v1"}},
		},
		"a version leaves that is stored": {
			given: manifest.CRD{Kind: "Widget", Namespaced: true, Versions: []string{"v1"}},
			want:  []string{"version v1alpha1 leaves, in which objects may be stored"},
		},
		"another scope and kind": {
			given: manifest.CRD{Kind: "Gadget", Versions: []string{"v1", "v1alpha1"}},
			want:  []string{"the scope changes from Namespaced to Cluster", "the kind changes from Widget to Gadget"},
		},
	}
	for name, test := range tests {
		if diff := cmp.Diff(test.want, Losses(live, test.given)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
