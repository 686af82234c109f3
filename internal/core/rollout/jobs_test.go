package rollout

import (
	"testing"
	"time"
)

func TestJobThatIsGoneBeforeItsPhaseIsComplete(t *testing.T) {
	t.Parallel()
	const at = "batch/v1/operator/jobs/migrate"
	job := object("batch/v1", "Job", "operator", "migrate")
	tests := map[string]struct {
		given       string
		givenStatus map[string]any
		wantRuns    int
		wantReady   bool
	}{
		"removed by its TTL before anybody saw it complete": {
			given: job + "spec: {ttlSecondsAfterFinished: 0}\n", wantRuns: 1, wantReady: true,
		},
		"seen complete, and then removed": {
			given: job, givenStatus: conditions("Complete", "True", "", ""), wantRuns: 1, wantReady: true,
		},
		"removed by somebody while it ran": {given: job},
		"seen failed, and then removed by its TTL": {
			given:       job + "spec: {ttlSecondsAfterFinished: 0}\n",
			givenStatus: conditions("Failed", "True", "BackoffLimitExceeded", "it failed"),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			cluster.workloadDelay = 10 // beyond what one pass remembers of another
			r := remembering(cluster, releaseOf(t, "one", written{name: "all", documents: []string{
				object("v1", "Namespace", "", "operator"), object("apps/v1", "Deployment", "operator", "operator"), test.given,
			}}))
			runs, ready := 0, false
			for pass := range 20 {
				ready = r.at(time.Duration(pass)*memoryLife/2).Run(t.Context()).Err == nil
				switch stored := cluster.objects[at]; {
				case stored == nil:
				case test.givenStatus != nil && stored.status == nil:
					runs++
					stored.status = test.givenStatus
				default:
					if stored.status == nil {
						runs++
					}
					delete(cluster.objects, at)
				}
			}
			if ready != test.wantReady || ready && runs != test.wantRuns {
				t.Errorf("want it ready %t after %d runs, got %t after %d", test.wantReady, test.wantRuns, ready, runs)
			}
		})
	}
}

func TestAJobIsNotRunAgainWhenTheReleaseIsOpenedAgain(t *testing.T) {
	t.Parallel()
	const at = "batch/v1/operator/jobs/migrate"
	documents := []string{
		object("v1", "Namespace", "", "operator"), object("apps/v1", "Deployment", "operator", "operator"),
		object("batch/v1", "Job", "operator", "migrate") + "spec: {ttlSecondsAfterFinished: 0}\n",
	}
	cluster := newMemory(t)
	cluster.workloadDelay = never
	r := remembering(cluster, releaseOf(t, "one", written{name: "all", documents: documents}))
	r.Run(t.Context())
	if cluster.objects[at] == nil {
		t.Fatal("want the Job there")
	}
	delete(cluster.objects, at)
	r.Release = releaseOf(t, "one", written{name: "all", documents: documents})
	r.at(memoryLife / 2).Run(t.Context())
	if cluster.objects[at] != nil {
		t.Error("want the Job not run again")
	}
}
