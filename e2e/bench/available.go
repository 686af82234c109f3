package main

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	definitionKind = "CustomResourceDefinition"
	deploymentKind = "Deployment"
)

// availableStatus is what the controllers and the kubelets of a cluster make of the status of
// a Deployment with one replica, once its Pod runs.
const availableStatus = `{"status": {"observedGeneration": %d, "replicas": 1, "updatedReplicas": 1,
"readyReplicas": 1, "availableReplicas": 1, "conditions": [
{"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]}}`

// makeAvailable writes that status.
func (o *observer) makeAvailable(namespace, name string, generation int64) {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, availableStatus, generation))
	if err := o.client.Status().Patch(o.ctx, d, patch); client.IgnoreNotFound(err) != nil {
		o.fail(fmt.Errorf("status of Deployment %s/%s: %w", namespace, name, err))
	}
}
