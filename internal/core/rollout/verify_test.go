package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// remembering is a rollout whose passes remember what those before it saw.
func remembering(cluster *memory, release Release) Rollout {
	r := rolloutOf(cluster, release)
	r.Memory = &Memory{}
	return r
}

func quiet(Target) bool { return true }

func TestWhatIsGoneIsAppliedAgainWhenAWatchSaysSo(t *testing.T) {
	t.Parallel()
	jobPath := "batch/v1/operator/jobs/migrate"
	tests := map[string]struct {
		givenGone  string
		givenOnce  bool
		givenQuiet bool
		want       bool // applied again
	}{
		"as soon as a watch may have seen it":     {givenGone: accountPath, want: true},
		"not while all watches are quiet":         {givenGone: accountPath, givenQuiet: true},
		"a Job that is gone is done":              {givenGone: jobPath},
		"what is applied once only is left alone": {givenGone: accountPath, givenOnce: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			phases := addOn()
			phases[1].documents = append(phases[1].documents, object("batch/v1", "Job", "operator", "migrate"))
			r := remembering(cluster, releaseOf(t, "one", phases...))
			r.Once = test.givenOnce
			complete := completeJob(t, cluster, r, jobPath)
			r.at(complete).Run(t.Context())
			delete(cluster.objects, test.givenGone)
			if test.givenQuiet {
				r.IsQuiet = quiet
			}
			r.at(complete + time.Second).Run(t.Context())
			if got := cluster.objects[test.givenGone] != nil; got != test.want {
				t.Errorf("applied again: want %t, got %t", test.want, got)
			}
		})
	}
}

func TestPhaseThatIsCompleteDoesNotNeedItsJobs(t *testing.T) {
	t.Parallel()
	const jobPath = "batch/v1/operator/jobs/migrate"
	tests := map[string]func(*memory){
		"one that is gone, by its TTL": func(m *memory) { delete(m.objects, jobPath) },
		"one that was run again and failed": func(m *memory) {
			m.objects[jobPath].status = conditions("Failed", "True", "BackoffLimitExceeded", "")
		},
	}
	for name, given := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			phases := addOn()
			phases[1].documents = append(phases[1].documents, object("batch/v1", "Job", "operator", "migrate"))
			r := remembering(cluster, releaseOf(t, "one", phases...))
			complete := completeJob(t, cluster, r, jobPath)
			given(cluster)
			if o := r.at(complete + time.Second).Run(t.Context()); o.Err != nil {
				t.Errorf("want it ready, got %v", o.Err)
			}
			r.Memory = &Memory{}
			if o := r.at(complete + time.Hour).Run(t.Context()); o.Err != nil {
				t.Errorf("want it ready after a restart, got %v", o.Err)
			}
		})
	}
}

// completeJob makes passes until the release is complete, whose Job finishes, and
// returns when that was.
func completeJob(t *testing.T, cluster *memory, r Rollout, jobPath string) time.Duration {
	t.Helper()
	for pass := range 10 {
		at := time.Duration(pass) * time.Second
		if o := r.at(at).Run(t.Context()); o.Err == nil {
			return at
		}
		if job := cluster.objects[jobPath]; job != nil {
			job.status = conditions("Complete", "True", "", "")
		}
	}
	t.Fatal("the release did not become complete")
	return 0
}

// Members may be few among the objects of a kind.
func TestOnlyMembersAreListedToVerify(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenGone    int
		wantListed   int
		wantMetadata int
	}{
		"all are members":                   {wantListed: 1},
		"some lost their label or are gone": {givenGone: 2, wantListed: 1, wantMetadata: 2},
		"many are gone":                     {givenGone: maxReads + 1, wantListed: 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			r := remembering(cluster, releaseOf(t, "one", secrets(10)))
			complete := completeJob(t, cluster, r, "")
			gone := 0
			for at := range cluster.objects {
				if strings.Contains(at, "/secrets/") && gone < test.givenGone {
					delete(cluster.objects, at)
					gone++
				}
			}
			cluster.take("")
			r.at(complete + time.Second).Run(t.Context())
			calls := strings.Join(cluster.takeAll(), " ")
			if got := strings.Count(calls, "list "); got != test.wantListed {
				t.Errorf("want %d lists, got %s", test.wantListed, calls)
			}
			if got := strings.Count(calls, "metadata "); got != test.wantMetadata {
				t.Errorf("want %d reads, got %s", test.wantMetadata, calls)
			}
			if got := strings.Count(calls, "apply v1/default/secrets"); got != test.givenGone {
				t.Errorf("want %d applies, got %s", test.givenGone, calls)
			}
		})
	}
}

func TestNothingIsAskedForWhileAllWatchesAreQuiet(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	phases := addOn()
	phases[2].readyWhen = []v1alpha1.ReadyWhen{{
		Object:     v1alpha1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "operator", Name: "settings"},
		Expression: "true",
	}}
	r := remembering(cluster, releaseOf(t, "one", phases...))
	complete := completeJob(t, cluster, r, "")
	r.at(complete + time.Second).Run(t.Context()) // the watches are open
	r.IsQuiet = quiet
	cluster.takeAll()
	for at := time.Minute; at < time.Hour; at += time.Minute {
		if o := r.at(complete + at).Run(t.Context()); o.Err != nil || len(o.Targets) < 8 {
			t.Fatalf("want it ready and watched, got %+v", o)
		}
	}
	if calls := cluster.takeAll(); len(calls) > 0 {
		t.Errorf("want no request, got %v", calls)
	}
}

// The watches of what a pass applied begin at its applies, so that there is nothing to find
// behind them.
func TestWhatAPassAppliedIsNotLookedAtAgainWhileItsWatchesAreQuiet(t *testing.T) {
	t.Parallel()
	serviceAccounts := membersOf("", "serviceaccounts", true)
	serviceAccounts.Content = true
	tests := map[string]struct {
		givenNoisy Target
		want       []string
	}{
		"all of them":  {},
		"all but one":  {givenNoisy: serviceAccounts, want: []string{"metadata v1/operator/serviceaccounts/operator"}},
		"not a parent": {givenNoisy: ParentTarget(inventory.ParentOf("default", "cni")), want: []string{"object " + parentPath}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster, watched := newMemory(t), []Target(nil)
			r := remembering(cluster, releaseOf(t, "one", addOn()...))
			r.IsQuiet = func(target Target) bool { return slices.Contains(watched, target) && target != test.givenNoisy }
			var o Outcome
			for at := time.Duration(0); o.Current < 3; at += time.Second {
				if at > time.Minute {
					t.Fatalf("want it complete, got %v", o.Err)
				}
				o = r.at(at).Run(t.Context())
				watched = o.Targets
			}
			cluster.takeAll()
			if o := r.at(2 * time.Minute).Run(t.Context()); o.Err != nil {
				t.Fatal(o.Err)
			}
			if diff := cmp.Diff(test.want, cluster.takeAll()); diff != "" {
				t.Errorf("calls of the pass behind it (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPhasesThatAreCompleteAreLookedAtNowAndThenWhileALaterOneWaits(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.workloadDelay = never
	r := remembering(cluster, releaseOf(t, "one", secrets(3), addOn()[1]))
	var lists []time.Duration
	for at := time.Duration(0); at <= 12*time.Minute; at += 15 * time.Second {
		cluster.take("")
		r.at(at).Run(t.Context())
		if slices.Contains(cluster.take("list"), "v1/default/secrets") {
			lists = append(lists, at)
		}
	}
	want := []time.Duration{0, verifyEvery, 2 * verifyEvery}
	if diff := cmp.Diff(want, lists); diff != "" {
		t.Errorf("looked (-want +got):\n%s", diff)
	}
}

// A later phase would wait for it until the complete ones are looked at anyway.
func TestADefinitionThatIsRemovedWhileALaterPhaseNeedsItIsAppliedAgain(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	cluster.workloadDelay = never
	cluster.fail = func(_ int, c call) (error, bool) {
		if c.verb == "apply" && c.path == widgetPath && cluster.objects[widgetsPath] == nil {
			return KindNotServed(manifest.Ref{Group: "example.com", Version: "v1", Kind: "Widget", Name: "default"}), false
		}
		return nil, true
	}
	r := remembering(cluster, releaseOf(t, "one", addOn()...))
	o := r.Run(t.Context())
	for at := time.Second; o.Current == 0; at += time.Second {
		o = r.at(at).Run(t.Context())
	}
	cluster.workloadDelay = 0
	delete(cluster.objects, widgetsPath)
	for at := time.Minute; at <= time.Minute+4*kindRetry; at += kindRetry {
		o = r.at(at).Run(t.Context())
	}
	if o.Err != nil || cluster.objects[widgetsPath] == nil {
		t.Errorf("want the definition applied again, got %v", o.Err)
	}
}

// An API server deletes the instances of a definition first.
func TestAnInstanceIsNotAppliedWhileItsDefinitionIsBeingDeleted(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	r := remembering(cluster, releaseOf(t, "one", addOn()...))
	complete := completeJob(t, cluster, r, "")
	cluster.objects[widgetsPath].deleted = &metav1.Time{Time: time.Unix(0, 0)}
	delete(cluster.objects, widgetPath)
	cluster.take("")
	r.IsQuiet = func(Target) bool { return false }
	o := r.at(complete + time.Second).Run(t.Context())
	if fault.ReasonOf(o.Err, "") != v1alpha1.ObjectTerminatingReason {
		t.Errorf("want it to wait until the definition is gone, got %v", o.Err)
	}
	if got := cluster.take("apply"); len(got) > 0 {
		t.Errorf("want nothing applied, got %v", got)
	}
	delete(cluster.objects, widgetsPath)
	for at := 2 * time.Second; at < 10*time.Second; at += time.Second {
		o = r.at(complete + at).Run(t.Context())
	}
	if o.Err != nil {
		t.Error(o.Err)
	}
	if diff := cmp.Diff([]string{widgetsPath, widgetPath}, cluster.take("apply")); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
}
