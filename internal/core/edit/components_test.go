package edit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/edit"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// parts are two components that share an object, and one that is off by default.
var parts = edit.Definitions{Components: []v1alpha1.Component{
	{Name: "ui", Objects: []v1alpha1.ComponentObjects{
		{APIVersion: "apps/v1", Kind: "Deployment", Name: "ui", Namespace: "web"}, {Kind: "ConfigMap", Name: "shared"},
	}},
	{Name: "api", Default: v1alpha1.OnComponentState, Objects: []v1alpha1.ComponentObjects{
		{Kind: "Service"}, {Kind: "ConfigMap", Name: "shared"},
	}},
	{Name: "extra", Default: v1alpha1.OffComponentState, Objects: []v1alpha1.ComponentObjects{{Kind: "Secret", Namespace: "web"}}},
}}

// all are objects, of which some name no namespace.
var all = []manifest.Ref{
	{Group: "apps", Version: "v1", Kind: "Deployment", Name: "ui"},
	{Group: "apps", Version: "v1", Kind: "Deployment", Name: "ui", Namespace: "other"},
	{Group: "apps", Version: "v1", Kind: "Deployment", Name: "other", Namespace: "web"},
	{Group: "apps", Version: "v1beta1", Kind: "Deployment", Name: "ui", Namespace: "web"},
	{Version: "v1", Kind: "ConfigMap", Name: "shared"},
	{Version: "v1", Kind: "ConfigMap", Name: "alone"},
	{Version: "v1", Kind: "Service", Name: "a"},
	{Group: "x.org", Version: "v1", Kind: "Service", Name: "b", Namespace: "other"},
	{Version: "v1", Kind: "Secret", Name: "a"},
	{Version: "v1", Kind: "Secret", Name: "b", Namespace: "other"},
}

func choices(enabled bool, names ...string) v1alpha1.Edits {
	var edits v1alpha1.Edits
	for _, name := range names {
		edits.Components = append(edits.Components, v1alpha1.ComponentChoice{Name: name, Enabled: &enabled})
	}
	return edits
}

func TestObjectsOfComponentsThatAreOffAreLeftOut(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		edits v1alpha1.Edits
		want  []int // of all
	}{
		"as it is by default":      {v1alpha1.Edits{}, []int{8}},
		"one that is off":          {choices(false, "ui"), []int{0, 8}},
		"another one":              {choices(false, "api"), []int{6, 7, 8}},
		"both that have an object": {choices(false, "ui", "api"), []int{0, 4, 6, 7, 8}},
		"everything on":            {choices(true, "ui", "extra"), nil},
		"off as by default":        {choices(false, "extra"), []int{8}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEdit(t, test.edits, parts)
			var got []int
			for i, ref := range all {
				if e.LeavesOut(ref, "web") {
					got = append(got, i)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAComponentThatTheReleaseDoesNotHaveIsRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		release edit.Definitions
		want    string
	}{
		"beside others": {parts, `components: the release has no component "edge", it has: api, extra, ui`},
		"beside none":   {edit.Definitions{}, `components: the release has none, and so not "edge"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, enabled := range []bool{true, false} {
				_, err := edit.New(choices(enabled, "edge"), test.release)
				if err == nil || err.Error() != test.want || fault.ReasonOf(err, "") != v1alpha1.EditInvalidReason ||
					fault.ClassOf(err) != fault.ClassStall {
					t.Errorf("error = %v", err)
				}
			}
		})
	}
}

func TestWhatAReleaseSaysOfItsObjectsIsChecked(t *testing.T) {
	t.Parallel()
	release := parts
	release.Images = []v1alpha1.ImageLocation{
		{APIVersion: "x.org/v1", Kind: "Service", Path: ".a"}, {APIVersion: "x.org/v2", Kind: "Service", Path: ".a"},
	}
	tests := map[string]struct {
		objects []manifest.Ref
		want    string
	}{
		"everything is there but a version": {all, "images: no object is x.org/v2 Service"},
		"objects are missing": {all[1:8], "component ui: no object is apps/v1 Deployment ui in web; " +
			"component extra: no object is Secret in web; images: no object is x.org/v2 Service"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check := edit.NewCheck(release)
			for _, ref := range test.objects {
				check.See(ref, "web")
			}
			err := check.Err()
			if err == nil || err.Error() != test.want || fault.ReasonOf(err, "") != v1alpha1.EditInvalidReason {
				t.Errorf("error = %v, want %s", err, test.want)
			}
		})
	}
	check := edit.NewCheck(parts)
	for _, ref := range all {
		check.See(ref, "web")
	}
	if err := check.Err(); err != nil {
		t.Errorf("everything is there: %v", err)
	}
}
