package clusterbundleset

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// clustersNamed returns Clusters with the given names.
func clustersNamed(names ...string) []clusterv1.Cluster {
	clusters := make([]clusterv1.Cluster, len(names))
	for i, name := range names {
		clusters[i].Name = name
	}
	return clusters
}

// having returns a ClusterBundle whose conditions of the given types are True.
func having(kinds ...string) v1alpha1.ClusterBundle {
	cb := v1alpha1.ClusterBundle{}
	for _, kind := range []string{v1alpha1.AppliedCondition, v1alpha1.ReadyCondition, v1alpha1.StalledCondition} {
		status := metav1.ConditionFalse
		if slices.Contains(kinds, kind) {
			status = metav1.ConditionTrue
		}
		cb.Status.Conditions = append(cb.Status.Conditions, metav1.Condition{Type: kind, Status: status})
	}
	return cb
}

// behindWith returns a ClusterBundle that is ready and not up to date.
func behindWith(message string) v1alpha1.ClusterBundle {
	cb := having("Applied", "Ready")
	cb.Status.Conditions = append(cb.Status.Conditions, metav1.Condition{
		Type: v1alpha1.UpToDateCondition, Status: metav1.ConditionFalse, Reason: v1alpha1.NoReleaseFitsReason, Message: message,
	})
	return cb
}

// onTheWay is the ClusterBundle of a release that is a step on the way to another.
func onTheWay() v1alpha1.ClusterBundle {
	cb := behindWith("release 1.0.0 is on the way to 1.2.0")
	cb.Status.Conditions[len(cb.Status.Conditions)-1].Reason = v1alpha1.ProgressingReason
	return cb
}

func TestStatus(t *testing.T) {
	t.Parallel()
	ready := func(count, paused string) map[string]string {
		return map[string]string{
			"Ready": "True Ready: " + count + " Clusters are ready", "Stalled": "False Ready", "Paused": paused,
		}
	}
	whole, applied, stalled := having("Applied", "Ready"), having("Applied"), having("Stalled")
	tests := map[string]struct {
		givenClusters []clusterv1.Cluster
		givenBundles  map[string]v1alpha1.ClusterBundle
		givenInvalid  error
		givenSet      func(*v1alpha1.ClusterBundleSet)
		// matched, applied, ready, failed
		wantCounts [4]int32
		want       map[string]string
	}{
		"no Cluster is selected": {
			want: ready("0", "False NotPaused"),
		},
		"all are ready": {
			givenClusters: clustersNamed("a", "b"),
			givenBundles:  map[string]v1alpha1.ClusterBundle{"a": whole, "b": whole},
			wantCounts:    [4]int32{2, 2, 2, 0},
			want:          ready("2", "False NotPaused"),
		},
		"some are not": {
			givenClusters: clustersNamed("e", "d", "c", "b", "a", "f"),
			givenBundles:  map[string]v1alpha1.ClusterBundle{"a": whole, "b": applied, "c": stalled, "d": {}},
			wantCounts:    [4]int32{6, 2, 1, 1},
			want: map[string]string{
				"Ready":   "False Progressing: 5 of 6 Clusters are not ready, 1 of them stalled: b, c, d, and 2 more",
				"Stalled": "False Progressing", "Paused": "False NotPaused",
			},
		},
		"a ClusterBundle of a Cluster that is not selected does not count": {
			givenClusters: clustersNamed("a"),
			givenBundles:  map[string]v1alpha1.ClusterBundle{"a": whole, "b": stalled},
			wantCounts:    [4]int32{1, 1, 1, 0},
			want:          ready("1", "False NotPaused"),
		},
		"one stays at the release that it has": {
			givenClusters: clustersNamed("b", "a"),
			givenBundles:  map[string]v1alpha1.ClusterBundle{"a": whole, "b": behindWith("release 1.0.0 stays: no release fits")},
			wantCounts:    [4]int32{2, 2, 2, 1},
			want: map[string]string{
				"Ready": "False NotUpToDate: 1 of 2 Clusters do not get the release that they should have: b: " +
					"release 1.0.0 stays: no release fits",
				"Stalled": "False Progressing", "Paused": "False NotPaused",
			},
		},
		"a step on the way to another release is no failure": {
			givenClusters: clustersNamed("a", "b"), givenBundles: map[string]v1alpha1.ClusterBundle{"a": whole, "b": onTheWay()},
			wantCounts: [4]int32{2, 2, 2, 0},
			want: map[string]string{
				"Ready": "True Ready: 2 Clusters are ready", "Stalled": "False Ready", "Paused": "False NotPaused",
			},
		},
		"the set cannot be used": {
			givenClusters: clustersNamed("a"), givenBundles: map[string]v1alpha1.ClusterBundle{"a": whole},
			givenInvalid: fault.Stall(v1alpha1.NoReleaseFitsReason, errors.New("no release")),
			wantCounts:   [4]int32{1, 1, 1, 0},
			want: map[string]string{
				"Ready":   "False NoReleaseFits: no release",
				"Stalled": "True NoReleaseFits: no release", "Paused": "False NotPaused",
			},
		},
		"the set is suspended": {
			givenClusters: clustersNamed("a"), givenBundles: map[string]v1alpha1.ClusterBundle{"a": whole},
			givenSet:   func(s *v1alpha1.ClusterBundleSet) { s.Spec.Suspend = new(true) },
			wantCounts: [4]int32{1, 1, 1, 0},
			want: map[string]string{
				"Ready": "False Suspended: spec.suspend is true", "Stalled": "False Progressing",
				"Paused": "True Suspended: spec.suspend is true",
			},
		},
		"the set is paused": {
			givenSet: func(s *v1alpha1.ClusterBundleSet) {
				s.Annotations = map[string]string{clusterv1.PausedAnnotation: ""}
			},
			givenClusters: clustersNamed("a"), givenBundles: map[string]v1alpha1.ClusterBundle{"a": whole},
			wantCounts: [4]int32{1, 1, 1, 0},
			want:       ready("1", "True Paused: ClusterBundleSet has the cluster.x-k8s.io/paused annotation"),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := &v1alpha1.ClusterBundleSet{ObjectMeta: metav1.ObjectMeta{Generation: 3}}
			if test.givenSet != nil {
				test.givenSet(set)
			}
			err := setStatus(set, gathered{clusters: test.givenClusters, bundles: test.givenBundles, invalid: test.givenInvalid})
			got := make(map[string]string)
			for _, c := range set.Status.Conditions {
				got[c.Type] = strings.TrimSuffix(string(c.Status)+" "+c.Reason+": "+c.Message, ": ")
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			status := set.Status
			counts := [4]int32{*status.Matched, *status.Applied, *status.Ready, *status.Failed}
			if counts != test.wantCounts || status.ObservedGeneration != 3 {
				t.Errorf("want %v of generation 3, got %v of %d", test.wantCounts, counts, status.ObservedGeneration)
			}
			if isReady := strings.HasPrefix(got["Ready"], "True"); isReady != (err == nil) {
				t.Errorf("want an error just when the set is not ready, got %v", err)
			}
		})
	}
}
