package rollout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// remembering is a rollout whose passes remember what those before it saw.
func remembering(cluster *memory, release Release) Rollout {
	r := rolloutOf(cluster, release)
	r.Memory = &Memory{}
	return r
}

func TestCompletePhasesAreVerifiedFromTimeToTime(t *testing.T) {
	t.Parallel()
	jobPath := "batch/v1/operator/jobs/migrate"
	tests := map[string]struct {
		givenGone string
		givenOnce bool
		givenAge  time.Duration
		want      bool // applied again
	}{
		"not at once":                             {givenGone: accountPath, givenAge: verifyAfter - time.Second},
		"once more soon after the completion":     {givenGone: accountPath, givenAge: verifyAfter, want: true},
		"a Job that is gone is done":              {givenGone: jobPath, givenAge: verifyAfter},
		"what is applied once only is left alone": {givenGone: accountPath, givenOnce: true, givenAge: verifyEvery},
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
			delete(cluster.objects, test.givenGone)
			r.at(complete + test.givenAge).Run(t.Context())
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

func TestCompletePhasesAreVerifiedEveryFewMinutes(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	r := remembering(cluster, releaseOf(t, "one", secrets(3)))
	converge(t, r)
	var lists []time.Duration
	for at := time.Duration(0); at <= 12*time.Minute; at += 30 * time.Second {
		cluster.take("")
		r.at(at).Run(t.Context())
		if len(cluster.take("list")) > 0 {
			lists = append(lists, at)
		}
	}
	want := []time.Duration{verifyAfter, verifyAfter + verifyEvery, verifyAfter + 2*verifyEvery}
	if diff := cmp.Diff(want, lists); diff != "" {
		t.Errorf("looked (-want +got):\n%s", diff)
	}
}
