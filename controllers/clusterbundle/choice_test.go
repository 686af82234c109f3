package clusterbundle

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

func TestUpToDate(t *testing.T) {
	t.Parallel()
	selected := func(version string, digest v1alpha1.Digest, behind error) release.Selection {
		return release.Selection{
			ReleaseReference: v1alpha1.ReleaseReference{Version: version, Digest: digest}, Behind: behind,
		}
	}
	pinned := selected("1.0.0", "sha256:1", nil)
	tests := map[string]struct {
		given *choice
		want  string
	}{
		"the release that is pinned is the one to have": {&choice{Selection: pinned}, "True UpToDate"},
		"while another release is about to be pinned what was found before stays": {
			&choice{Selection: selected("1.1.0", "sha256:2", nil)}, "True before",
		},
		"so it does while another content of the release is": {
			&choice{Selection: selected("1.0.0", "sha256:2", nil)}, "True before",
		},
		"no release fits": {
			&choice{err: fault.Stallf(v1alpha1.NoReleaseFitsReason, "no release fits")},
			"False NoReleaseFits: release 1.0.0 stays: no release fits",
		},
		"the source fails": {
			&choice{err: fault.Retry(v1alpha1.FetchFailedReason, errors.New("404 Not Found"))},
			"False FetchFailed: release 1.0.0 stays: 404 Not Found",
		},
		"while a source is fetched what was found before stays": {
			&choice{err: fault.Wait(v1alpha1.FetchingReason, 0, fmt.Errorf("a tag %w", library.ErrFetching))}, "True before",
		},
		"what is pinned is on the way to another": {
			&choice{Selection: selected("1.0.0", "sha256:1",
				fault.Wait(v1alpha1.ProgressingReason, 0, errors.New("on the way to 1.2.0")))},
			"False Progressing: release 1.0.0 is on the way to 1.2.0",
		},
		"there is no way from what is pinned": {
			&choice{Selection: selected("1.0.0", "sha256:1", fault.Stallf(v1alpha1.NoUpgradePathReason, "no release of 1.1"))},
			"False NoUpgradePath: release 1.0.0 stays: no release of 1.1",
		},
		"what was not looked at stays": {nil, "True before"},
		"while versions of Kubernetes alternate what was found before stays": {
			&choice{Selection: pinned, settling: true}, "True before",
		},
		"unless no release fits the known one": {
			&choice{err: fault.Stallf(v1alpha1.NoReleaseFitsReason, "no release fits"), settling: true},
			"False NoReleaseFits: release 1.0.0 stays: no release fits",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cb := &v1alpha1.ClusterBundle{Spec: v1alpha1.ClusterBundleSpec{Version: "1.0.0", Digest: "sha256:1"}}
			cb.Status.Conditions = []metav1.Condition{{
				Type: v1alpha1.UpToDateCondition, Status: metav1.ConditionTrue, Reason: "before",
			}}
			setUpToDate(cb, test.given)
			if got := statuses(cb)[v1alpha1.UpToDateCondition]; got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}

// The set would count the Cluster as behind for ever.
func TestWhatWasFoundBeforeGoesWithTheStrategyApplyOnce(t *testing.T) {
	t.Parallel()
	cb := &v1alpha1.ClusterBundle{Spec: v1alpha1.ClusterBundleSpec{Version: "1.0.0", Strategy: v1alpha1.ApplyOnceStrategy}}
	cb.Status.Conditions = []metav1.Condition{{
		Type: v1alpha1.UpToDateCondition, Status: metav1.ConditionFalse, Reason: v1alpha1.NoReleaseFitsReason,
	}}
	setStatus(cb, findings{})
	if got, found := statuses(cb)[v1alpha1.UpToDateCondition]; found {
		t.Errorf("want no condition, got %q", got)
	}
}

// needsVersion has releases that depend on the version of Kubernetes.
type needsVersion struct{ releases }

func (needsVersion) Select(
	_ *v1alpha1.Bundle, q release.Query,
) (release.Selection, error) {
	return release.Selection{}, q.Unknown
}

func TestAWorkloadClusterThatDoesNotAnswerIsNotBehind(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	cb := &v1alpha1.ClusterBundle{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "cni-prod"}}
	cb.Spec = v1alpha1.ClusterBundleSpec{ClusterName: "prod", SetName: "cni", BundleName: "calico", Version: "1.0.0"}
	r := reconcilerOf(t, &rest.Config{Host: server.URL},
		&v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "calico"}},
		&v1alpha1.ClusterBundleSet{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "cni"}})
	r.Library = needsVersion{}
	s := &scope{clusterBundle: cb}
	if err := r.checkChoice(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	status.SetCondition(cb, v1alpha1.UpToDateCondition, true, v1alpha1.UpToDateReason, "")
	setUpToDate(cb, s.choice)
	if got, want := statuses(cb)[v1alpha1.UpToDateCondition], "True UpToDate"; s.choice.err == nil || got != want {
		t.Errorf("want %q, got %q by the choice %v", want, got, s.choice.err)
	}
}
