package readiness_test

import "testing"

func TestWorkloadsWhosePodsSomebodyElseReplaces(t *testing.T) {
	t.Parallel()
	testWorkloads(t, head("apps/v1", "DaemonSet", "node"), "DaemonSet calico-system/node", map[string]workloadTest{
		"a DaemonSet with Pods of an older revision": {
			given: "spec: {updateStrategy: {type: OnDelete}}\nstatus: {observedGeneration: 2, desiredNumberScheduled: 3, " +
				"currentNumberScheduled: 3, updatedNumberScheduled: 0, numberAvailable: 3, numberReady: 3}\n",
			want: isReady, wantMessage: "Available: 3/3",
		},
		"a DaemonSet with Pods that are not available": {
			given: "spec: {updateStrategy: {type: OnDelete}}\nstatus: {observedGeneration: 2, desiredNumberScheduled: 3, numberAvailable: 2}\n",
			want:  isWaiting, wantMessage: "Available: 2/3",
		},
		"a DaemonSet that nobody has looked at": {
			given: "spec: {updateStrategy: {type: OnDelete}}\nstatus: {observedGeneration: 1, desiredNumberScheduled: 3, numberAvailable: 3}\n",
			want:  isWaiting, wantMessage: "not observed by its controller yet",
		},
	})
	testWorkloads(t, head("apps/v1", "StatefulSet", "db"), "StatefulSet calico-system/db", map[string]workloadTest{
		"a StatefulSet without its Pods": {
			given: "spec: {updateStrategy: {type: OnDelete}}\nstatus: {observedGeneration: 2, replicas: 1}\n",
			want:  isWaiting, wantMessage: "Available: 0/1",
		},
		"a StatefulSet with all of them": {
			given: "spec: {replicas: 2, updateStrategy: {type: OnDelete}}\nstatus: {observedGeneration: 2, availableReplicas: 2}\n",
			want:  isReady, wantMessage: "Available: 2/2",
		},
	})
	testWorkloads(t, head("apps/v1", "Deployment", "web"), "Deployment calico-system/web", map[string]workloadTest{
		"a Deployment that is paused in the middle of a change": {
			given: "spec: {replicas: 3, paused: true}\nstatus: {observedGeneration: 2, replicas: 3, updatedReplicas: 1, availableReplicas: 3, " +
				"conditions: [{type: Progressing, status: Unknown, reason: DeploymentPaused}]}\n",
			want: isReady, wantMessage: "Available: 3/3",
		},
		"a Deployment that is paused before it has Pods": {
			given: "spec: {replicas: 3, paused: true}\nstatus: {observedGeneration: 2}\n", want: isWaiting, wantMessage: "Available: 0/3",
		},
	})
}
