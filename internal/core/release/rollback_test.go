package release_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

// as returns a release with the digest that its content has in these tests, and
// changed with that of another content.
func as(version string) v1alpha1.ReleaseReference {
	return v1alpha1.ReleaseReference{Version: version, Digest: v1alpha1.Digest("digest of " + version)}
}

func changed(version string) v1alpha1.ReleaseReference {
	return v1alpha1.ReleaseReference{Version: version, Digest: "before"}
}

func failed(r v1alpha1.ReleaseReference) *v1alpha1.FailedRelease {
	return &v1alpha1.FailedRelease{ReleaseReference: r, Message: "phase operator: too slow"}
}

func TestWhatAClusterGetsByWhatItHas(t *testing.T) {
	t.Parallel()
	all := releases(versions("1.0.0", "1.1.0", "1.2.0")...)
	const slow = "phase operator: too slow"
	tests := map[string]struct {
		given      release.Query
		want       string // version
		wantBehind string
		wantFailed string // version
		wantEvent  string
	}{
		"the first release is direct": {given: release.Query{EachMinor: true}, want: "1.2.0"},
		"the next step": {
			given: release.Query{EachMinor: true, Pinned: as("1.0.0"), Ready: true}, want: "1.1.0", wantBehind: "on the way to 1.2.0",
			wantEvent: "release 1.1.0 is pinned in place of 1.0.0: on the way to 1.2.0",
		},
		"no step before the one before is ready": {
			given: release.Query{EachMinor: true, Pinned: as("1.1.0")}, want: "1.1.0", wantBehind: "on the way to 1.2.0",
		},
		"a step whose content has changed gets the new one": {
			given: release.Query{EachMinor: true, Pinned: changed("1.1.0")}, want: "1.1.0", wantBehind: "on the way to 1.2.0",
			wantEvent: "release 1.1.0 is pinned with its new content",
		},
		"in place of a step that vanished the newest of its minor version": {
			given: release.Query{EachMinor: true, Pinned: as("1.1.9")}, want: "1.1.0", wantBehind: "on the way to 1.2.0",
			wantEvent: "release 1.1.0 is pinned in place of 1.1.9: on the way to 1.2.0",
		},
		"a step that vanished with its minor version is not waited for": {
			given: release.Query{EachMinor: true, Pinned: as("0.9.0")}, want: "1.0.0", wantBehind: "on the way to 1.2.0",
			wantEvent: "release 1.0.0 is pinned in place of 0.9.0: on the way to 1.2.0",
		},
		"the last step": {
			given: release.Query{EachMinor: true, Pinned: as("1.1.0"), Ready: true}, want: "1.2.0",
			wantEvent: "release 1.2.0 is pinned in place of 1.1.0: 1.2.0 is newer",
		},
		"where there is no way what is pinned stays": {
			given: release.Query{
				Bundle: releases(versions("1.0.0", "1.2.0")...), EachMinor: true, Pinned: as("1.0.0"), Ready: true,
			},
			want: "1.0.0", wantBehind: "the way from 1.0.0 to 1.2.0: no release of 1.1 is listed",
		},
		"steps need not satisfy the constraint": {
			given: release.Query{EachMinor: true, Pinned: as("1.0.0"), Ready: true, Constraint: "~1.2"}, want: "1.1.0",
			wantBehind: "on the way to 1.2.0", wantEvent: "release 1.1.0 is pinned in place of 1.0.0: on the way to 1.2.0",
		},
		"a release that failed is rolled back": {
			given: release.Query{Pinned: as("1.2.0"), Previous: new(as("1.0.0")), Failure: slow},
			want:  "1.0.0", wantFailed: "1.2.0", wantBehind: "release 1.2.0 failed and was rolled back: " + slow,
			wantEvent: "release 1.0.0 is pinned in place of 1.2.0: rolled back: " + slow,
		},
		"so is a step": {
			given: release.Query{EachMinor: true, Pinned: as("1.1.0"), Previous: new(as("1.0.0")), Failure: slow},
			want:  "1.0.0", wantFailed: "1.1.0", wantBehind: "release 1.1.0 failed and was rolled back: " + slow,
			wantEvent: "release 1.0.0 is pinned in place of 1.1.0: rolled back: " + slow,
		},
		"unless another is to have by now": {
			given: release.Query{Pinned: as("1.1.0"), Previous: new(as("1.0.0")), Failure: slow}, want: "1.2.0",
			wantEvent: "release 1.2.0 is pinned in place of 1.1.0: 1.2.0 is newer",
		},
		"unless its content is another by now": {
			given: release.Query{Pinned: changed("1.2.0"), Previous: new(as("1.0.0")), Failure: slow}, want: "1.2.0",
			wantEvent: "release 1.2.0 is pinned with its new content",
		},
		"a first release that failed has nothing to go back to": {
			given: release.Query{Pinned: as("1.2.0"), Failure: slow}, want: "1.2.0",
		},
		"nor has one whose predecessor vanished": {
			given: release.Query{Pinned: as("1.2.0"), Previous: new(as("0.9.0")), Failure: slow}, want: "1.2.0",
		},
		"nor one whose predecessor has another content": {
			given: release.Query{Pinned: as("1.2.0"), Previous: new(changed("1.0.0")), Failure: slow}, want: "1.2.0",
		},
		"nor one that was rolled back to": {
			given: release.Query{Constraint: "1.0.0", Pinned: as("1.0.0"), Previous: new(as("1.0.0")), Failure: slow}, want: "1.0.0",
		},
		"what was rolled back from is not chosen again": {
			given: release.Query{Pinned: as("1.0.0"), Ready: true, Failed: failed(as("1.2.0"))},
			want:  "1.0.0", wantFailed: "1.2.0", wantBehind: "release 1.2.0 failed and was rolled back: " + slow,
		},
		"nor as a step": {
			given: release.Query{EachMinor: true, Pinned: as("1.0.0"), Ready: true, Failed: failed(as("1.1.0"))},
			want:  "1.0.0", wantFailed: "1.1.0", wantBehind: "release 1.1.0 failed and was rolled back: " + slow,
		},
		"it is remembered while the one before becomes ready": {
			given: release.Query{EachMinor: true, Pinned: as("1.0.0"), Failed: failed(as("1.1.0"))},
			want:  "1.0.0", wantFailed: "1.1.0", wantBehind: "on the way to 1.2.0",
		},
		"it is with another content": {
			given: release.Query{Pinned: as("1.0.0"), Failed: failed(changed("1.2.0"))}, want: "1.2.0",
			wantEvent: "release 1.2.0 is pinned in place of 1.0.0: 1.2.0 is newer",
		},
		"it is forgotten when the choice is another": {
			given: release.Query{Constraint: "<1.2.0", Pinned: as("1.0.0"), Failed: failed(as("1.2.0"))}, want: "1.1.0",
			wantEvent: "release 1.1.0 is pinned in place of 1.0.0: 1.1.0 is newer",
		},
		"it is when the choice is what is pinned": {
			given: release.Query{Constraint: "~1.0.0", Pinned: as("1.0.0"), Failed: failed(as("1.2.0"))}, want: "1.0.0",
		},
		"an older release": {
			given: release.Query{Constraint: "~1.0.0", Pinned: as("1.2.0"), Ready: true}, want: "1.0.0",
			wantEvent: "release 1.0.0 is pinned in place of 1.2.0: the version constraint of the set is ~1.0.0",
		},
		"a release that is gone": {
			given: release.Query{Pinned: as("1.3.0")}, want: "1.2.0",
			wantEvent: "release 1.2.0 is pinned in place of 1.3.0: the Bundle no longer has 1.3.0",
		},
		"a cluster that is too new": {
			given: release.Query{Bundle: releases(calico()...), Pinned: as("3.29.7"), Kubernetes: "v1.36.3"}, want: "3.32.1",
			wantEvent: "release 3.32.1 is pinned in place of 3.29.7: " +
				"3.29.7 needs Kubernetes >=1.29.0-0 <1.33.0-0, the cluster has v1.36.3",
		},
		"a pre-release gives way": {
			given: release.Query{Bundle: releases(versions("1.0.0", "1.1.0-rc.1")...), Pinned: as("1.1.0-rc.1")}, want: "1.0.0",
			wantEvent: "release 1.0.0 is pinned in place of 1.1.0-rc.1: 1.0.0 is the newest that fits",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := test.given
			if q.Bundle.Releases == nil {
				q.Bundle = all
			}
			q.Digest = func(r v1alpha1.Release) (v1alpha1.Digest, error) { return as(r.Version).Digest, nil }
			got, err := release.Select(q)
			if err != nil {
				t.Fatal(err)
			}
			if got.ReleaseReference != as(test.want) {
				t.Errorf("want %s, got %+v", test.want, got)
			}
			if behind := textOf(got.Behind); !strings.HasPrefix(behind, test.wantBehind) || (behind == "") != (test.wantBehind == "") {
				t.Errorf("want behind since %q, got %q", test.wantBehind, behind)
			}
			if version := versionOf(got.Failed); version != test.wantFailed {
				t.Errorf("want %q remembered as failed, got %q", test.wantFailed, version)
			}
			if diff := cmp.Diff(test.wantEvent, q.Change(got)); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	}
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func versionOf(failed *v1alpha1.FailedRelease) string {
	if failed == nil {
		return ""
	}
	return failed.Version
}

func TestARollbackWaitsForItsContentAndIgnoresWhatIsGone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		given   error
		wantErr bool
	}{
		"it is being fetched": {fault.Wait(v1alpha1.FetchingReason, 0, errors.New("being fetched")), true},
		"it cannot be":        {fault.Stallf(v1alpha1.DigestMismatchReason, "other bytes"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := release.Query{
				Bundle: releases(versions("1.0.0", "1.1.0")...), Pinned: as("1.1.0"), Previous: new(as("1.0.0")), Failure: "slow",
			}
			q.Digest = func(r v1alpha1.Release) (v1alpha1.Digest, error) {
				if r.Version == "1.0.0" {
					return "", test.given
				}
				return as(r.Version).Digest, nil
			}
			got, err := release.Select(q)
			if (err != nil) != test.wantErr || err == nil && got.Version != "1.1.0" {
				t.Errorf("want an error: %t, else 1.1.0, got %+v, %v", test.wantErr, got, err)
			}
		})
	}
}

func TestWhatAStatusSaysOfAReleaseThatIsPinned(t *testing.T) {
	t.Parallel()
	is := func(kind string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: "PhaseTimeout", Message: "too slow"}
	}
	open, done := v1alpha1.PhaseStatus{Name: "b"}, v1alpha1.PhaseStatus{Name: "a", CompletionTime: new(metav1.Now())}
	tests := map[string]struct {
		given       v1alpha1.ClusterBundleStatus
		wantReady   bool
		wantFailure string
	}{
		"it is absent, as after a move": {},
		"it is ready": {v1alpha1.ClusterBundleStatus{
			ObservedGeneration: 2, Conditions: []metav1.Condition{is("Ready")}, Phases: []v1alpha1.PhaseStatus{done},
		}, true, ""},
		"it was ready with an older spec": {v1alpha1.ClusterBundleStatus{
			ObservedGeneration: 1, Conditions: []metav1.Condition{is("Ready")},
		}, false, ""},
		"it failed": {v1alpha1.ClusterBundleStatus{
			ObservedGeneration: 2, Conditions: []metav1.Condition{is("Stalled")}, Phases: []v1alpha1.PhaseStatus{done, open},
		}, false, "too slow"},
		"an older spec failed": {v1alpha1.ClusterBundleStatus{
			ObservedGeneration: 1, Conditions: []metav1.Condition{is("Stalled")}, Phases: []v1alpha1.PhaseStatus{done, open},
		}, false, ""},
		"it is stalled after it was complete": {v1alpha1.ClusterBundleStatus{
			ObservedGeneration: 2, Conditions: []metav1.Condition{is("Stalled")}, Phases: []v1alpha1.PhaseStatus{done},
		}, false, ""},
		"it is stalled before a pass was made": {v1alpha1.ClusterBundleStatus{
			ObservedGeneration: 2, Conditions: []metav1.Condition{is("Stalled")},
		}, false, ""},
		"it goes on": {v1alpha1.ClusterBundleStatus{ObservedGeneration: 2, Phases: []v1alpha1.PhaseStatus{open}}, false, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cb := &v1alpha1.ClusterBundle{ObjectMeta: metav1.ObjectMeta{Generation: 2}, Status: test.given}
			if ready, failure := release.IsReady(cb), release.FailureOf(cb); ready != test.wantReady || failure != test.wantFailure {
				t.Errorf("want %t and %q, got %t and %q", test.wantReady, test.wantFailure, ready, failure)
			}
			set := &v1alpha1.ClusterBundleSet{}
			if q := release.QueryOf(set, cb, "v1.36.0", nil); q.Failure != "" {
				t.Errorf("want nothing rolled back unasked, got %q", q.Failure)
			}
			set.Spec.RollbackOnFailure = new(true)
			if q := release.QueryOf(set, cb, "v1.36.0", nil); q.Failure != test.wantFailure || q.Ready != test.wantReady {
				t.Errorf("want %q, got %q", test.wantFailure, q.Failure)
			}
		})
	}
}
