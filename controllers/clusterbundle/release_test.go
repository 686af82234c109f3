package clusterbundle

import (
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

func TestPinnedRelease(t *testing.T) {
	t.Parallel()
	one, two := v1alpha1.Release{Version: "1.0.0"}, v1alpha1.Release{Version: "2.0.0"}
	tests := map[string]struct {
		givenVersion  string
		givenReleases []v1alpha1.Release
		wantReason    string
		wantMessage   string
	}{
		"the one that is pinned": {"2.0.0", []v1alpha1.Release{one, two}, "", ""},
		"it is gone": {
			"2.0.0", nil, v1alpha1.ReleaseChangedReason,
			"Bundle calico no longer has release 2.0.0 with the digest that is pinned",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cb := &v1alpha1.ClusterBundle{Spec: v1alpha1.ClusterBundleSpec{
				SetName: "cni", BundleName: "calico", Version: test.givenVersion,
			}}
			got, err := pinned(v1alpha1.BundleSpec{Releases: test.givenReleases}, cb)
			wantWaiting(t, err, test.wantReason, test.wantMessage)
			if err == nil && got.Version != test.givenVersion {
				t.Errorf("want release %s, got %s", test.givenVersion, got.Version)
			}
		})
	}
}
