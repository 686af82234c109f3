package clusterbundle

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/patch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
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

// rendered has the version of Kubernetes as the digest of what is opened for it.
type rendered struct{ releases }

func (rendered) Open(_ types.NamespacedName, _ v1alpha1.Release, kubernetes string) (*library.Bundle, error) {
	return &library.Bundle{Digest: v1alpha1.Digest(kubernetes)}, nil
}

func (rendered) ForgetFor(types.NamespacedName) {}

func (rendered) OpenEdited(opened *library.Bundle, _ v1alpha1.Edits) (*library.Bundle, error) {
	return opened, nil
}

func (rendered) OpenValued(_ types.NamespacedName, shared *library.Bundle, _ patch.Changes) (*library.Bundle, error) {
	return shared, nil
}

func (rendered) OpenPatched(opened *library.Bundle, _ patch.Changes) (*library.Bundle, error) {
	return opened, nil
}

func (rendered) OpenFor(_ types.NamespacedName, shared *library.Bundle, _ library.Cluster) (*library.Bundle, error) {
	return shared, nil
}

func TestAChartIsRenderedForTheVersionThatItsDigestIsOf(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"gitVersion":"v1.36.0"}`))
	}))
	t.Cleanup(server.Close)
	chart := v1alpha1.Release{Version: "1.0.0", Phases: []v1alpha1.Phase{{
		Name: "all", Sources: []v1alpha1.Source{{Helm: &v1alpha1.HelmSource{Chart: "https://example.com/a"}}},
	}}}
	for name, test := range map[string]struct{ givenKnown, want string }{
		"the one that it was chosen by":            {"v1.35.0", "v1.35.0"},
		"that of the cluster where none was noted": {"", "v1.36.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := reconcilerOf(t, &rest.Config{Host: server.URL})
			r.Library = rendered{}
			cb := &v1alpha1.ClusterBundle{Spec: v1alpha1.ClusterBundleSpec{
				ClusterName: "prod", Version: "1.0.0", Digest: v1alpha1.Digest(test.want), Kubernetes: test.givenKnown,
			}}
			if err := r.openRelease(t.Context(), &scope{clusterBundle: cb, cluster: prepared(), release: chart}); err != nil {
				t.Errorf("want it opened for %s, got %v", test.want, err)
			}
		})
	}
}

// perCluster has the digest "pinned", and notes what is opened for which Cluster.
type perCluster struct {
	releases
	asked *[]string
}

func (perCluster) Open(types.NamespacedName, v1alpha1.Release, string) (*library.Bundle, error) {
	return &library.Bundle{Digest: "pinned"}, nil
}

func (p perCluster) OpenFor(owner types.NamespacedName, _ *library.Bundle, cluster library.Cluster) (*library.Bundle, error) {
	*p.asked = append(*p.asked, owner.String()+" "+cluster.Name+" "+string(cluster.UID))
	return &library.Bundle{Digest: "pinned", Bytes: 1}, nil
}

func (perCluster) OpenEdited(opened *library.Bundle, edits v1alpha1.Edits) (*library.Bundle, error) {
	return &library.Bundle{
		Digest: opened.Digest, Bytes: opened.Bytes, Content: v1alpha1.Digest("edited: " + edits.CRDDescriptions),
	}, nil
}

func (perCluster) OpenValued(_ types.NamespacedName, shared *library.Bundle, _ patch.Changes) (*library.Bundle, error) {
	return shared, nil
}

func (perCluster) OpenPatched(opened *library.Bundle, changes patch.Changes) (*library.Bundle, error) {
	return &library.Bundle{Digest: opened.Digest, Bytes: opened.Bytes, Content: changes.Over(opened.Content)}, nil
}

func TestAReleaseIsOpenedForItsClusterOnceItIsPinned(t *testing.T) {
	t.Parallel()
	cluster := prepared()
	cluster.UID = "uid"
	for name, test := range map[string]struct {
		givenPinned v1alpha1.Digest
		want        []string
	}{
		"pinned":         {"pinned", []string{"default/cni-prod " + cluster.Name + " uid"}},
		"another pinned": {"another", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			r := reconcilerOf(t, &rest.Config{})
			r.Library = perCluster{asked: &asked}
			cb := bundleOf("cni", "prod")
			cb.Spec.Digest = test.givenPinned
			cb.Spec.CRDDescriptions = v1alpha1.StripCRDDescriptions
			s := &scope{clusterBundle: cb, cluster: cluster, changes: patch.Changes{{Name: "p"}}}
			err := r.openRelease(t.Context(), s)
			if !slices.Equal(asked, test.want) || (err == nil) != (test.want != nil) {
				t.Errorf("want it asked for %q, got %q and %v", test.want, asked, err)
			}
			if err == nil && (s.bundle.Bytes != 1 || s.bundle.Content != s.changes.Over("edited: Strip")) {
				t.Errorf("want what the Cluster gets, edited and patched, got %+v", s.bundle)
			}
		})
	}
}
