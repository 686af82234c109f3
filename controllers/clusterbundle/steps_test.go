package clusterbundle

import (
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/edit"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/patch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
)

// opened is a library of which every release is opened with the same result.
type opened struct {
	bundle *library.Bundle
	err    error
}

func (o opened) Open(types.NamespacedName, v1alpha1.Release, string) (*library.Bundle, error) {
	return o.bundle, o.err
}

func (opened) ForgetFor(types.NamespacedName) {}

func (o opened) OpenEdited(bundle *library.Bundle, _ v1alpha1.Edits) (*library.Bundle, error) {
	return bundle, o.err
}

func (opened) OpenValued(_ types.NamespacedName, shared *library.Bundle, _ patch.Changes) (*library.Bundle, error) {
	return shared, nil
}

func (o opened) OpenPatched(bundle *library.Bundle, _ patch.Changes) (*library.Bundle, error) {
	return bundle, o.err
}

func (o opened) OpenFor(_ types.NamespacedName, shared *library.Bundle, _ library.Cluster) (*library.Bundle, error) {
	return shared, o.err
}

func (o opened) Select(*v1alpha1.Bundle, release.Query) (release.Selection, error) {
	return release.Selection{}, o.err
}

func appliedOnce(cb *v1alpha1.ClusterBundle) { cb.Spec.Strategy = v1alpha1.ApplyOnceStrategy }
func notPinned(cb *v1alpha1.ClusterBundle)   { cb.Spec.Version, cb.Spec.Digest = "", "" }

// calico is the Bundle with releases of the versions.
func calico(versions ...string) *v1alpha1.Bundle {
	bundle := &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "calico"}}
	for _, version := range versions {
		bundle.Spec.Releases = append(bundle.Spec.Releases, v1alpha1.Release{Version: version})
	}
	return bundle
}

func TestWhatIsCompleteStaysReady(t *testing.T) {
	t.Parallel()
	const complete, other = "sha256:1", "sha256:2"
	away := opened{err: fault.Retry(v1alpha1.FetchFailedReason, errors.New("HTTP 503"))}
	fetching := opened{err: fault.Wait(v1alpha1.FetchingReason, 0, library.ErrFetching)}
	moved := opened{bundle: &library.Bundle{Digest: other}}
	once, always := bundleOf("cni", "prod", appliedOnce), bundleOf("cni", "prod")
	edited := bundleOf("cni", "prod", strippingCRDs)
	completeAndEdited, err := edit.Digest(complete, edited.Spec.Edits)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		given         *v1alpha1.ClusterBundle
		givenCluster  *clusterv1.Cluster
		givenBundle   *v1alpha1.Bundle
		givenLibrary  opened
		givenComplete v1alpha1.Digest // in the workload cluster, empty if it is not connected
		want          string          // status and reason
	}{
		"applied once, without its Bundle":         {once, prepared(), nil, away, complete, "True Ready"},
		"applied once, without its release":        {once, prepared(), calico(), away, complete, "True Ready"},
		"applied once, its registry is away":       {once, prepared(), calico("1.0.0"), away, complete, "True Ready"},
		"applied once, its content has changed":    {once, prepared(), calico("1.0.0"), moved, complete, "True Ready"},
		"its registry is away":                     {always, prepared(), calico("1.0.0"), away, complete, "True Ready"},
		"its content is being fetched":             {always, prepared(), calico("1.0.0"), fetching, complete, "True Ready"},
		"edited, its registry is away":             {edited, prepared(), calico("1.0.0"), away, completeAndEdited, "True Ready"},
		"applied once, as another release":         {once, prepared(), calico("1.0.0"), moved, other, "True Ready"},
		"unless, applied once, it is not complete": {once, prepared(), nil, away, incomplete, "False BundleNotFound"},
		"unless, applied once, it is paused":       {once, prepared(pausedBySpec), nil, away, complete, "False Paused"},
		"unless, applied once, it is not connected": {
			once, prepared(), nil, away, "", "False ClusterNotConnected",
		},
		"unless, applied once, nothing is pinned": {
			bundleOf("cni", "prod", appliedOnce, notPinned), prepared(), nil, away, complete, "False BundleNotFound",
		},
		"unless it is complete with other edits": {
			edited, prepared(), calico("1.0.0"), away, complete, "False FetchFailed",
		},
		"unless its edits are complete and it has none any more": {
			always, prepared(), calico("1.0.0"), away, completeAndEdited, "False FetchFailed",
		},
		"unless it is not complete":       {always, prepared(), calico("1.0.0"), away, other, "False FetchFailed"},
		"unless it has not been fetched":  {always, prepared(), calico("1.0.0"), fetching, other, "False Fetching"},
		"unless its Bundle is gone":       {always, prepared(), nil, away, complete, "False BundleNotFound"},
		"unless its release is gone":      {always, prepared(), calico(), away, complete, "False ReleaseChanged"},
		"unless its content has changed":  {always, prepared(), calico("1.0.0"), moved, complete, "False ReleaseChanged"},
		"unless the Cluster is paused":    {always, prepared(pausedBySpec), calico("1.0.0"), away, complete, "False Paused"},
		"unless it is not connected":      {always, prepared(), calico("1.0.0"), away, "", "False ClusterNotConnected"},
		"unless its Cluster is not there": {once, prepared(func(c *clusterv1.Cluster) { c.Name = "other" }), nil, away, complete, "False ClusterNotFound"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects := []client.Object{tc.given.DeepCopy(), tc.givenCluster}
			if tc.givenBundle != nil {
				objects = append(objects, tc.givenBundle)
			}
			r := reconcilerOf(t, nil, objects...)
			if tc.givenComplete != "" {
				r = reconcilerOf(t, completeParent(t, tc.givenComplete), objects...)
			}
			r.Library = tc.givenLibrary
			key := client.ObjectKeyFromObject(tc.given)
			_, _ = r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}) // the status shows what it found
			after := &v1alpha1.ClusterBundle{}
			if err := r.Client.Get(t.Context(), key, after); err != nil {
				t.Fatal(err)
			}
			if got := readyOf(after); got != tc.want {
				t.Errorf("want %q, got %q", tc.want, got)
			}
		})
	}
}

// readyOf returns the status and the reason of the condition Ready.
func readyOf(cb *v1alpha1.ClusterBundle) string {
	for _, c := range cb.Status.Conditions {
		if c.Type == v1alpha1.ReadyCondition {
			return string(c.Status) + " " + c.Reason
		}
	}
	return "none"
}
