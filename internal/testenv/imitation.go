package testenv

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/secret"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// imitateCAPI does what Cluster API does for a Cluster that its providers have
// provisioned and that it could connect to. A test compares it with the real
// one.
func (m *Management) imitateCAPI(
	ctx context.Context, cluster *clusterv1.Cluster, endpoint clusterv1.APIEndpoint,
) error {
	for _, kind := range []schema.GroupVersionKind{infrastructureKind, controlPlaneKind} {
		if err := m.ownByCluster(ctx, kind, cluster); err != nil {
			return err
		}
	}
	before := cluster.DeepCopy()
	controllerutil.AddFinalizer(cluster, clusterv1.ClusterFinalizer)
	cluster.Spec.ControlPlaneEndpoint = endpoint
	if err := m.Client.Patch(ctx, cluster, client.MergeFrom(before)); err != nil {
		return err
	}
	before = cluster.DeepCopy()
	cluster.Status = availableStatus(cluster.Generation, metav1.Now())
	if cluster.Spec.Paused != nil && *cluster.Spec.Paused {
		markPaused(cluster.Status.Conditions)
	}
	return m.Client.Status().Patch(ctx, cluster, client.MergeFrom(before))
}

// ownByCluster makes the Cluster an owner, not the controller, of a provider's
// object.
func (m *Management) ownByCluster(ctx context.Context, kind schema.GroupVersionKind, cluster *clusterv1.Cluster) error {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	if err := m.Client.Get(ctx, client.ObjectKeyFromObject(cluster), u); err != nil {
		return err
	}
	before := u.DeepCopy()
	if err := controllerutil.SetOwnerReference(cluster, u, Scheme()); err != nil {
		return err
	}
	return m.Client.Patch(ctx, u, client.MergeFrom(before))
}

// availableStatus is the status of a Cluster without Machines at that generation,
// but for status.deprecated, which nobody is to read.
func availableStatus(generation int64, now metav1.Time) clusterv1.ClusterStatus {
	status := clusterv1.ClusterStatus{
		Initialization: clusterv1.ClusterInitializationStatus{
			InfrastructureProvisioned: new(true),
			ControlPlaneInitialized:   new(true),
		},
		Phase:              string(clusterv1.ClusterPhaseProvisioned),
		ObservedGeneration: generation,
		ControlPlane:       &clusterv1.ClusterControlPlaneStatus{},
		Workers:            &clusterv1.WorkersStatus{},
	}
	for _, c := range availableConditions {
		c.ObservedGeneration, c.LastTransitionTime = generation, now
		status.Conditions = append(status.Conditions, c)
	}
	return status
}

// availableConditions are in the order in which Cluster API writes them.
var availableConditions = []metav1.Condition{
	is(clusterv1.ClusterAvailableCondition, clusterv1.ClusterAvailableReason),
	is(clusterv1.ClusterRemoteConnectionProbeCondition, clusterv1.ClusterRemoteConnectionProbeSucceededReason),
	is(clusterv1.ClusterInfrastructureReadyCondition, clusterv1.ClusterInfrastructureReadyReason),
	is(clusterv1.ClusterControlPlaneInitializedCondition, clusterv1.ClusterControlPlaneInitializedReason),
	is(clusterv1.ClusterControlPlaneAvailableCondition, clusterv1.ClusterControlPlaneAvailableReason),
	is(clusterv1.ClusterWorkersAvailableCondition, clusterv1.ClusterWorkersAvailableNoWorkersReason),
	isNot(clusterv1.ClusterRollingOutCondition, clusterv1.ClusterNotRollingOutReason),
	isNot(clusterv1.ClusterRemediatingCondition, clusterv1.ClusterNotRemediatingReason),
	isNot(clusterv1.ClusterScalingDownCondition, clusterv1.ClusterNotScalingDownReason),
	isNot(clusterv1.ClusterScalingUpCondition, clusterv1.ClusterNotScalingUpReason),
	is(clusterv1.ClusterControlPlaneMachinesReadyCondition, clusterv1.ClusterControlPlaneMachinesReadyNoReplicasReason),
	is(clusterv1.ClusterWorkerMachinesReadyCondition, clusterv1.ClusterWorkerMachinesReadyNoReplicasReason),
	is(clusterv1.ClusterControlPlaneMachinesUpToDateCondition,
		clusterv1.ClusterControlPlaneMachinesUpToDateNoReplicasReason),
	is(clusterv1.ClusterWorkerMachinesUpToDateCondition, clusterv1.ClusterWorkerMachinesUpToDateNoReplicasReason),
	isNot(clusterv1.PausedCondition, clusterv1.NotPausedReason),
	isNot(clusterv1.ClusterDeletingCondition, clusterv1.ClusterNotDeletingReason),
}

func is(kind, reason string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reason}
}

func isNot(kind, reason string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason}
}

func markPaused(conditions []metav1.Condition) {
	for i := range conditions {
		if conditions[i].Type == clusterv1.PausedCondition {
			conditions[i].Status, conditions[i].Reason = metav1.ConditionTrue, clusterv1.PausedReason
		}
	}
}

// FinishDeletion does what Cluster API and the garbage collector do at the end
// of a deletion: the Secret and the providers' objects go, and the Cluster loses
// Cluster API's finalizer. The Cluster must have been deleted before.
func (m *Management) FinishDeletion(ctx context.Context, cluster *clusterv1.Cluster) error {
	if err := m.finishDeletion(ctx, cluster); err != nil {
		return fmt.Errorf("cluster %s/%s: %w", cluster.Namespace, cluster.Name, err)
	}
	return nil
}

func (m *Management) finishDeletion(ctx context.Context, cluster *clusterv1.Cluster) error {
	live := &clusterv1.Cluster{}
	if err := m.Client.Get(ctx, client.ObjectKeyFromObject(cluster), live); err != nil {
		return err
	}
	if live.DeletionTimestamp.IsZero() {
		return errors.New("has not been deleted")
	}
	kubeconfig := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: cluster.Namespace, Name: secret.Name(cluster.Name, secret.Kubeconfig),
	}}
	for _, object := range []client.Object{
		kubeconfig, providerObject(controlPlaneKind, cluster), providerObject(infrastructureKind, cluster),
	} {
		if err := client.IgnoreNotFound(m.Client.Delete(ctx, object)); err != nil {
			return err
		}
	}
	before := live.DeepCopy()
	controllerutil.RemoveFinalizer(live, clusterv1.ClusterFinalizer)
	return client.IgnoreNotFound(m.Client.Patch(ctx, live, client.MergeFrom(before)))
}
