package simulator

import (
	"maps"
	"time"

	"k8s.io/apiextensions-apiserver/pkg/apihelpers"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// workloads are the kinds that become ready, and what their status is then.
var workloads = map[storage]func(fields map[string]any){
	{"apps", "deployments"}:  deploymentStatus,
	{"apps", "daemonsets"}:   daemonSetStatus,
	{"apps", "statefulsets"}: statefulSetStatus,
	{"batch", "jobs"}:        jobStatus,
}

// now returns the time as objects have it.
func now() string { return time.Now().UTC().Format(time.RFC3339) }

// condition returns one that became true, or not, now.
func condition(kind, status, reason, message string) map[string]any {
	return map[string]any{
		"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": now(),
	}
}

// setStatus sets fields of the status.
func setStatus(fields, status map[string]any) {
	whole := childOf(fields, "status")
	maps.Copy(whole, status)
	fields["status"] = whole
}

// isObserved reports whether a controller has seen the object as it is.
func isObserved(fields map[string]any) bool {
	observed := childOf(fields, "status")["observedGeneration"]
	return observed != nil && observed == childOf(fields, "metadata")["generation"]
}

func replicasOf(fields map[string]any) int64 {
	if replicas, ok := childOf(fields, "spec")["replicas"].(int64); ok {
		return replicas
	}
	return 1
}

func deploymentStatus(fields map[string]any) {
	if isObserved(fields) {
		return
	}
	n := replicasOf(fields)
	status := map[string]any{
		"observedGeneration": childOf(fields, "metadata")["generation"],
		"conditions": []any{
			withUpdate(condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")),
			withUpdate(condition("Progressing", "True", "NewReplicaSetAvailable", "ReplicaSet has successfully progressed.")),
		},
	}
	if n > 0 {
		status["replicas"], status["updatedReplicas"], status["readyReplicas"], status["availableReplicas"] = n, n, n, n
	}
	setStatus(fields, status)
}

// withUpdate adds the time that conditions of Deployments have.
func withUpdate(condition map[string]any) map[string]any {
	condition["lastUpdateTime"] = condition["lastTransitionTime"]
	return condition
}

func daemonSetStatus(fields map[string]any) {
	if isObserved(fields) {
		return
	}
	setStatus(fields, map[string]any{
		"observedGeneration":     childOf(fields, "metadata")["generation"],
		"currentNumberScheduled": int64(1), "desiredNumberScheduled": int64(1), "numberMisscheduled": int64(0),
		"numberReady": int64(1), "numberAvailable": int64(1), "updatedNumberScheduled": int64(1),
	})
}

func statefulSetStatus(fields map[string]any) {
	if isObserved(fields) {
		return
	}
	n := replicasOf(fields)
	setStatus(fields, map[string]any{
		"observedGeneration": childOf(fields, "metadata")["generation"],
		"replicas":           n, "readyReplicas": n, "availableReplicas": n, "currentReplicas": n, "updatedReplicas": n,
		"currentRevision": "1", "updateRevision": "1",
	})
}

func jobStatus(fields map[string]any) {
	if childOf(fields, "status")["completionTime"] != nil {
		return
	}
	done := "Reached expected number of succeeded pods"
	setStatus(fields, map[string]any{
		"startTime": now(), "completionTime": now(), "succeeded": int64(1), "ready": int64(0), "terminating": int64(0),
		"uncountedTerminatedPods": map[string]any{},
		"conditions": []any{
			condition("SuccessCriteriaMet", "True", "CompletionsReached", done),
			condition("Complete", "True", "CompletionsReached", done),
		},
	})
}

// beginNamespace completes a new Namespace.
func beginNamespace(fields map[string]any) {
	metadata := childOf(fields, "metadata")
	labels := childOf(metadata, "labels")
	labels["kubernetes.io/metadata.name"] = metadata["name"]
	metadata["labels"] = labels
	fields["spec"] = map[string]any{"finalizers": []any{"kubernetes"}}
	fields["status"] = map[string]any{"phase": "Active"}
}

// beginDefinition completes a new CustomResourceDefinition.
func beginDefinition(fields map[string]any) {
	spec := childOf(fields, "spec")
	versions, _ := spec["versions"].([]any)
	for _, version := range versions {
		if v, ok := version.(map[string]any); ok && v["storage"] == true {
			fields["status"] = map[string]any{
				"storedVersions": []any{v["name"]}, "conditions": nil,
				"acceptedNames": map[string]any{"kind": "", "plural": ""},
			}
		}
	}
	if spec["conversion"] == nil {
		spec["conversion"] = map[string]any{"strategy": "None"}
	}
}

// acceptNames is what the API server does first with a CustomResourceDefinition.
func acceptNames(fields map[string]any) {
	status := childOf(fields, "status")
	status["acceptedNames"] = childOf(fields, "spec")["names"]
	fields["status"] = status
	if status["conditions"] != nil {
		return
	}
	conditions := []any{
		condition(string(apiextensionsv1.NamesAccepted), "True", "NoConflicts", "no conflicts found"),
		condition(string(apiextensionsv1.Established), "False", "Installing", "the initial names have been accepted"),
	}
	if group, _ := childOf(fields, "spec")["group"].(string); apihelpers.IsProtectedCommunityGroup(group) {
		conditions = append(conditions, approval(fields))
	}
	status["conditions"] = conditions
}

// approval is the condition of a definition in a group of Kubernetes itself, which an
// annotation approves.
func approval(fields map[string]any) map[string]any {
	annotations := map[string]string{}
	for key, value := range childOf(childOf(fields, "metadata"), "annotations") {
		annotations[key], _ = value.(string)
	}
	kind := string(apiextensionsv1.KubernetesAPIApprovalPolicyConformant)
	state, message := apihelpers.GetAPIApprovalState(annotations)
	if state == apihelpers.APIApproved {
		return condition(kind, "True", "ApprovedAnnotation", message)
	}
	return condition(kind, "False", "UnapprovedAnnotation", message)
}

// establish is what it does then.
func establish(fields map[string]any) {
	conditions, _ := childOf(fields, "status")["conditions"].([]any)
	for i, each := range conditions {
		if c, ok := each.(map[string]any); ok && c["type"] == string(apiextensionsv1.Established) && c["status"] != "True" {
			conditions[i] = condition(string(apiextensionsv1.Established), "True",
				"InitialNamesAccepted", "the initial names have been accepted")
		}
	}
}

// terminateSpecial changes what an API server changes of a kind whose objects go later.
func terminateSpecial(r *resource, fields map[string]any) {
	switch r.storage() {
	case namespaces:
		setStatus(fields, map[string]any{"phase": "Terminating"})
	case definitions:
		metadata := childOf(fields, "metadata")
		metadata["finalizers"] = []any{apiextensionsv1.CustomResourceCleanupFinalizer}
		conditions, _ := childOf(fields, "status")["conditions"].([]any)
		setStatus(fields, map[string]any{"conditions": append(conditions, condition(string(apiextensionsv1.Terminating), "True",
			"InstanceDeletionPending", "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"))})
	}
}
