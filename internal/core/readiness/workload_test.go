package readiness_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/readiness"
)

// state of an object, in the tables of this file.
type state int

const (
	isReady state = iota
	isWaiting
	isFailed
)

func stateOf(f readiness.Finding) state {
	switch {
	case f.Stalled:
		return isFailed
	case f.Ready:
		return isReady
	default:
		return isWaiting
	}
}

// head returns the beginning of a document of the given kind, up to its spec.
func head(apiVersion, kind, name string) string {
	return "apiVersion: " + apiVersion + "\nkind: " + kind +
		"\nmetadata: {name: " + name + ", namespace: calico-system, generation: 2, creationTimestamp: " +
		"\"2026-01-01T00:00:00Z\"}\n"
}

type workloadTest struct {
	given       string
	want        state
	wantMessage string
}

func testWorkloads(t *testing.T, beginning, title string, tests map[string]workloadTest) {
	t.Helper()
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := readiness.Workload(parsed(t, beginning+tc.given))
			if stateOf(got) != tc.want || got.Ready && got.Stalled {
				t.Errorf("%+v, want state %d", got, tc.want)
			}
			want := readiness.Finding{
				Ready: got.Ready, Stalled: got.Stalled, Reason: v1alpha1.WorkloadsNotReadyReason,
				Message: title + ": " + tc.wantMessage,
			}
			if tc.want == isReady {
				want.Reason = v1alpha1.ReadyReason
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("finding (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDeployment(t *testing.T) {
	t.Parallel()
	const spec = "spec: {replicas: 1, progressDeadlineSeconds: 600}\n"
	const fine = "{type: Available, status: 'True'}, {type: Progressing, status: 'True', reason: " +
		"NewReplicaSetAvailable}"
	const starting = "{type: Available, status: 'False'}, {type: Progressing, status: 'True', reason: " +
		"ReplicaSetUpdated}"
	const exceeded = "{type: Available, status: 'False'}, {type: Progressing, status: 'False', reason: " +
		"ProgressDeadlineExceeded}"
	testWorkloads(t, head("apps/v1", "Deployment", "tigera-operator"), "Deployment calico-system/tigera-operator",
		map[string]workloadTest{
			"without a status": {
				spec, isWaiting, "not observed by its controller yet",
			},
			"before a replica exists": {
				spec + "status: {observedGeneration: 2}", isWaiting, "Replicas: 0/1",
			},
			"progressing": {
				spec + "status: {observedGeneration: 2, replicas: 1, updatedReplicas: 1, " +
					"unavailableReplicas: 1, conditions: [" + starting + "]}",
				isWaiting, "Available: 0/1",
			},
			"available": {
				spec + "status: {observedGeneration: 2, replicas: 1, updatedReplicas: 1, readyReplicas: 1, " +
					"availableReplicas: 1, conditions: [" + fine + "]}",
				isReady, "Deployment is available. Replicas: 1",
			},
			"available in the generation before": {
				spec + "status: {observedGeneration: 1, replicas: 1, updatedReplicas: 1, readyReplicas: 1, " +
					"availableReplicas: 1, conditions: [" + fine + "]}",
				isWaiting, "Deployment generation is 2, but latest observed generation is 1",
			},
			"with a replica of the old template": {
				spec + "status: {observedGeneration: 2, replicas: 2, updatedReplicas: 1, readyReplicas: 2, " +
					"availableReplicas: 2, conditions: [" + fine + "]}",
				isWaiting, "Pending termination: 1",
			},
			"with no replica of the new template": {
				spec + "status: {observedGeneration: 2, replicas: 1, readyReplicas: 1, availableReplicas: " +
					"1, conditions: [" + fine + "]}",
				isWaiting, "Updated: 0/1",
			},
			"past its progress deadline": {
				spec + "status: {observedGeneration: 2, replicas: 1, updatedReplicas: 1, " +
					"conditions: [" + exceeded + "]}",
				isFailed, "Progress deadline exceeded",
			},
			"scaled to zero": {
				"spec: {replicas: 0, progressDeadlineSeconds: 600}\nstatus: {observedGeneration: 2, " +
					"conditions: [" + fine + "]}",
				isReady, "Deployment is available. Replicas: 0",
			},
			"scaled to zero and not observed": {
				"spec: {replicas: 0}\nstatus: {}", isWaiting, "not observed by its controller yet",
			},
		})
}

func TestDaemonSet(t *testing.T) {
	t.Parallel()
	testWorkloads(t, head("apps/v1", "DaemonSet", "calico-node"), "DaemonSet calico-system/calico-node",
		map[string]workloadTest{
			"without a status": {"spec: {}", isWaiting, "not observed by its controller yet"},
			"in a cluster without nodes": {
				"status: {observedGeneration: 2, desiredNumberScheduled: 0, currentNumberScheduled: 0, " +
					"numberReady: 0, numberMisscheduled: 0}",
				isReady, "All replicas scheduled as expected. Replicas: 0",
			},
			"starting": {
				"status: {observedGeneration: 2, desiredNumberScheduled: 3, currentNumberScheduled: 3, " +
					"updatedNumberScheduled: 3, numberAvailable: 1, numberReady: 1}",
				isWaiting, "Available: 1/3",
			},
			"rolling": {
				"status: {observedGeneration: 2, desiredNumberScheduled: 3, currentNumberScheduled: 3, " +
					"updatedNumberScheduled: 2, numberAvailable: 3, numberReady: 3}",
				isWaiting, "Updated: 2/3",
			},
			"not scheduled everywhere": {
				"status: {observedGeneration: 2, desiredNumberScheduled: 3, currentNumberScheduled: 1}",
				isWaiting, "Current: 1/3",
			},
			"on every node": {
				"status: {observedGeneration: 2, desiredNumberScheduled: 3, currentNumberScheduled: 3, " +
					"updatedNumberScheduled: 3, numberAvailable: 3, numberReady: 3}",
				isReady, "All replicas scheduled as expected. Replicas: 3",
			},
			"on every node in the generation before": {
				"status: {observedGeneration: 1, desiredNumberScheduled: 3, currentNumberScheduled: 3, " +
					"updatedNumberScheduled: 3, numberAvailable: 3, numberReady: 3}",
				isWaiting, "DaemonSet generation is 2, but latest observed generation is 1",
			},
		})
}

func TestStatefulSet(t *testing.T) {
	t.Parallel()
	testWorkloads(t, head("apps/v1", "StatefulSet", "fluentd"), "StatefulSet calico-system/fluentd",
		map[string]workloadTest{
			"of zero replicas and not observed": {
				"spec: {replicas: 0}\nstatus: {replicas: 0}", isWaiting, "not observed by its controller yet",
			},
			"of zero replicas": {
				"spec: {replicas: 0}\nstatus: {observedGeneration: 2, replicas: 0, currentRevision: a, " +
					"updateRevision: a}",
				isReady, "All replicas scheduled as expected. Replicas: 0",
			},
			"starting": {
				"spec: {replicas: 2}\nstatus: {observedGeneration: 2, replicas: 2, readyReplicas: 1, " +
					"currentReplicas: 2}",
				isWaiting, "Ready: 1/2",
			},
			"rolling": {
				"spec: {replicas: 2}\nstatus: {observedGeneration: 2, replicas: 2, readyReplicas: 2, " +
					"currentReplicas: 2, currentRevision: a, updateRevision: b}",
				isWaiting, "Waiting for updated revision to match current",
			},
			"ready": {
				"spec: {replicas: 2}\nstatus: {observedGeneration: 2, replicas: 2, readyReplicas: 2, " +
					"currentReplicas: 2, updatedReplicas: 2, currentRevision: b, updateRevision: b}",
				isReady, "All replicas scheduled as expected. Replicas: 2",
			},
		})
}

func TestReplicaSet(t *testing.T) {
	t.Parallel()
	testWorkloads(t, head("apps/v1", "ReplicaSet", "a"), "ReplicaSet calico-system/a", map[string]workloadTest{
		"of zero replicas and not observed": {
			"spec: {replicas: 0}", isWaiting, "not observed by its controller yet",
		},
		"that cannot make a pod": {
			"spec: {replicas: 1}\nstatus: {observedGeneration: 2, conditions: [{type: ReplicaFailure, " +
				"status: 'True'}]}",
			isWaiting, "Replica Failure condition. Check Pods",
		},
		"ready": {
			"spec: {replicas: 1}\nstatus: {observedGeneration: 2, replicas: 1, readyReplicas: 1, " +
				"availableReplicas: 1, fullyLabeledReplicas: 1}",
			isReady, "ReplicaSet is available. Replicas: 1",
		},
	})
}

func TestJob(t *testing.T) {
	t.Parallel()
	testWorkloads(t, head("batch/v1", "Job", "migrate"), "Job calico-system/migrate", map[string]workloadTest{
		"not started": {"spec: {completions: 1}", isWaiting, "Job not started"},
		"running": {
			"status: {startTime: '2026-01-01T00:00:00Z', active: 1, ready: 1}",
			isWaiting, "Job in progress. success:0, active: 1, failed: 0",
		},
		"running after a failed attempt": {
			"status: {startTime: '2026-01-01T00:00:00Z', active: 1, failed: 2}",
			isWaiting, "Job in progress. success:0, active: 1, failed: 2",
		},
		"about to complete": {
			"status: {startTime: '2026-01-01T00:00:00Z', succeeded: 1, conditions: [{type: " +
				"SuccessCriteriaMet, status: 'True'}]}",
			isWaiting, "Job in progress. success:1, active: 0, failed: 0",
		},
		"complete": {
			"status: {startTime: '2026-01-01T00:00:00Z', succeeded: 1, conditions: [{type: " +
				"SuccessCriteriaMet, status: 'True'}, {type: Complete, status: 'True'}]}",
			isReady, "Job Completed. succeeded: 1/1",
		},
		"failed": {
			"status: {startTime: '2026-01-01T00:00:00Z', failed: 7, conditions: [{type: Failed, status: " +
				"'True', reason: BackoffLimitExceeded}]}",
			isFailed, "Job Failed. failed: 7/1",
		},
		"suspended": {
			"spec: {suspend: true}\nstatus: {conditions: [{type: Suspended, status: 'True'}]}", isWaiting,
			"Job not started",
		},
	})
	testWorkloads(t, head("example.com/v1", "Job", "a"), "Job calico-system/a", map[string]workloadTest{
		"of another group": {"status: {}", isReady, "Resource is current"},
	})
}

func TestPod(t *testing.T) {
	t.Parallel()
	testWorkloads(t, head("v1", "Pod", "a"), "Pod calico-system/a", map[string]workloadTest{
		"without a phase": {"spec: {}", isWaiting, "Pod phase not available"},
		"pending":         {"status: {phase: Pending}", isWaiting, "Pod is in the Pending phase"},
		"that nothing can schedule, for years": {
			"status: {phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: " +
				"Unschedulable, message: no nodes available to schedule pods}]}",
			isWaiting, "Pod is not scheduled: no nodes available to schedule pods",
		},
		"running and not ready": {
			"status: {phase: Running, conditions: [{type: Ready, status: 'False'}], containerStatuses: " +
				"[{name: a, state: {running: {}}}]}",
			isWaiting, "Pod is running but is not Ready",
		},
		"in a crash loop": {
			"status: {phase: Running, conditions: [{type: Ready, status: 'False'}], containerStatuses: " +
				"[{name: a, state: {waiting: {reason: CrashLoopBackOff}}}]}",
			isFailed, "Containers in CrashLoop state: a",
		},
		"running and ready": {
			"status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}", isReady, "Pod is Ready",
		},
		"succeeded": {"status: {phase: Succeeded}", isReady, "Pod has completed successfully"},
		"failed":    {"status: {phase: Failed}", isFailed, "Pod has completed, but not successfully"},
		"unknown":   {"status: {phase: Unknown}", isWaiting, "unknown phase Unknown"},
	})
}

func TestOtherKinds(t *testing.T) {
	t.Parallel()
	testWorkloads(t, head("v1", "PersistentVolumeClaim", "a"), "PersistentVolumeClaim calico-system/a",
		map[string]workloadTest{
			"a claim that is pending": {"status: {phase: Pending}", isWaiting, "PVC is not Bound. phase: Pending"},
			"a claim that is bound":   {"status: {phase: Bound}", isReady, "PVC is Bound"},
		})
	testWorkloads(t, head("v1", "ConfigMap", "a"), "ConfigMap calico-system/a", map[string]workloadTest{
		"a ConfigMap": {"data: {}", isReady, "Resource is always ready"},
	})
	testWorkloads(t, head("example.com/v1", "Thing", "a"), "Thing calico-system/a", map[string]workloadTest{
		"a kind without conditions": {"status: {}", isReady, "Resource is current"},
		"a kind that says Ready": {
			"status: {conditions: [{type: Ready, status: 'True'}]}", isReady, "Resource is Ready",
		},
		"a kind that says not Ready": {
			"status: {conditions: [{type: Ready, status: 'False', message: starting}]}", isWaiting, "starting",
		},
		"a kind that says Stalled": {
			"status: {conditions: [{type: Stalled, status: 'True', message: broken}]}", isFailed, "broken",
		},
		"a kind whose conditions are no list": {
			"status: {conditions: broken}", isWaiting,
			"cannot restore slice from string",
		},
		"a message that is long and on several lines": {
			"status: {conditions: [{type: Stalled, status: 'True', message: \"a\\nb" + strings.Repeat("c",
				300) + "\"}]}",
			isFailed, "a b" + strings.Repeat("c", 194) + "…",
		},
	})
	testWorkloads(t, "{apiVersion: v1, kind: Namespace, metadata: {name: a, deletionTimestamp: "+
		"'2026-01-01T00:00:00Z'}}",
		"Namespace a", map[string]workloadTest{
			"an object without a namespace that is being deleted": {"", isWaiting, "is being deleted"},
		})
}
