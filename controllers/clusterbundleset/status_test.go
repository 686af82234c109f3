package clusterbundleset

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

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
		givenClusters []string
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
			givenClusters: []string{"a", "b"},
			givenBundles:  map[string]v1alpha1.ClusterBundle{"a": whole, "b": whole},
			wantCounts:    [4]int32{2, 2, 2, 0},
			want:          ready("2", "False NotPaused"),
		},
		"some are not": {
			givenClusters: []string{"a", "b", "c", "d", "e", "f"},
			givenBundles:  map[string]v1alpha1.ClusterBundle{"a": whole, "b": applied, "c": stalled, "d": {}},
			wantCounts:    [4]int32{6, 2, 1, 1},
			want: map[string]string{
				"Ready":   "False Progressing: 5 of 6 Clusters are not ready, 1 of them stalled: b, c, d, and 2 more",
				"Stalled": "False Progressing", "Paused": "False NotPaused",
			},
		},
		"a ClusterBundle of a Cluster that is not selected does not count": {
			givenClusters: []string{"a"},
			givenBundles:  map[string]v1alpha1.ClusterBundle{"a": whole, "b": stalled},
			wantCounts:    [4]int32{1, 1, 1, 0},
			want:          ready("1", "False NotPaused"),
		},
		"one stays at the release that it has": {
			givenClusters: []string{"a", "b"},
			givenBundles:  map[string]v1alpha1.ClusterBundle{"a": whole, "b": behindWith("release 1.0.0 stays: no release fits")},
			wantCounts:    [4]int32{2, 2, 2, 1},
			want: map[string]string{
				"Ready": "False NotUpToDate: 1 of 2 Clusters do not get the release that they should have: b: " +
					"release 1.0.0 stays: no release fits",
				"Stalled": "False Progressing", "Paused": "False NotPaused",
			},
		},
		"a step on the way to another release is no failure": {
			givenClusters: []string{"a", "b"}, givenBundles: map[string]v1alpha1.ClusterBundle{"a": whole, "b": onTheWay()},
			wantCounts: [4]int32{2, 2, 2, 0},
			want: map[string]string{
				"Ready": "True Ready: 2 Clusters are ready", "Stalled": "False Ready", "Paused": "False NotPaused",
			},
		},
		"the set cannot be used": {
			givenClusters: []string{"a"}, givenBundles: map[string]v1alpha1.ClusterBundle{"a": whole},
			givenInvalid: fault.Stall(v1alpha1.NoReleaseFitsReason, errors.New("no release")),
			wantCounts:   [4]int32{1, 1, 1, 0},
			want: map[string]string{
				"Ready":   "False NoReleaseFits: no release",
				"Stalled": "True NoReleaseFits: no release", "Paused": "False NotPaused",
			},
		},
		"the set is suspended": {
			givenClusters: []string{"a"}, givenBundles: map[string]v1alpha1.ClusterBundle{"a": whole},
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
			givenClusters: []string{"a"}, givenBundles: map[string]v1alpha1.ClusterBundle{"a": whole},
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
			conditions := make(map[string][]metav1.Condition)
			for cluster, cb := range test.givenBundles {
				conditions[cluster] = cb.Status.Conditions
			}
			err := setStatus(set, gathered{clusters: test.givenClusters, conditions: conditions, invalid: test.givenInvalid})
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

func TestASetIsCountedAgainOnlyWhenSomethingCounts(t *testing.T) {
	t.Parallel()
	onTheWay, behind := onTheWay(), behindWith("release 1.0.0 stays")
	renamed := having("Applied")
	renamed.Status.Phase, renamed.Status.Conditions[1].Message = "crds 1/2", "waits for another object"
	for name, test := range map[string]struct {
		before, after v1alpha1.ClusterBundle
		want          bool
	}{
		"its progress":                  {having("Applied"), renamed, false},
		"it is applied":                 {having(), having("Applied"), true},
		"it is ready":                   {having("Applied"), having("Applied", "Ready"), true},
		"it stalls":                     {having(), having("Stalled"), true},
		"it stays behind":               {having("Applied", "Ready"), behind, true},
		"it stays for another reason":   {behindWith("no release fits"), behind, true},
		"it is on the way to a release": {having("Applied", "Ready"), onTheWay, false},
	} {
		got := outcomeChanged().Update(event.UpdateEvent{ObjectOld: &test.before, ObjectNew: &test.after})
		if got != test.want {
			t.Errorf("%s: want %t, got %t", name, test.want, got)
		}
	}
	if !outcomeChanged().Create(event.CreateEvent{}) || !outcomeChanged().Delete(event.DeleteEvent{}) {
		t.Error("want ClusterBundles that come or go to count")
	}
}
