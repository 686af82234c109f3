package testenv

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestDeploymentBecomesAvailableByItself(t *testing.T) {
	t.Parallel()
	w := SharedWhole(t)
	ns := NewNamespace(t, w.APIServer)
	labels := map[string]string{"app": "operator"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "operator"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "manager", Image: "example.com/operator:v1",
				}}},
			},
		},
	}
	eventually(t, func(ctx context.Context) error {
		return client.IgnoreAlreadyExists(w.Client.Create(ctx, deployment))
	})
	eventually(t, func(ctx context.Context) error {
		if err := w.Client.Get(ctx, client.ObjectKeyFromObject(deployment), deployment); err != nil {
			return err
		}
		for _, c := range deployment.Status.Conditions {
			if c.Type == appsv1.DeploymentAvailable && c.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("is not available: %v", deployment.Status.Conditions)
	})
	if err := w.Client.Delete(t.Context(), deployment); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		pods := &corev1.PodList{}
		if err := w.Client.List(ctx, pods, client.InNamespace(ns)); err != nil {
			return err
		}
		if len(pods.Items) > 0 {
			return fmt.Errorf("%d pods remain", len(pods.Items))
		}
		return nil
	})
}

func TestNodesAreReady(t *testing.T) {
	t.Parallel()
	nodes := &corev1.NodeList{}
	if err := SharedWhole(t).Client.List(t.Context(), nodes); err != nil {
		t.Fatal(err)
	}
	if len(nodes.Items) != 1 || !nodeIsReady(&nodes.Items[0]) {
		t.Errorf("got %v", nodes.Items)
	}
	if nodeIsReady(&corev1.Node{}) {
		t.Error("a node without conditions counts as ready")
	}
}

func TestNodesAreAwaitedInVainWhenAProgramHasEnded(t *testing.T) {
	t.Parallel()
	s := &APIServer{}
	running := must(startProgram("kwok", "/bin/sleep", "300"))
	defer running.stop()
	ended := must(startProgram("kube-scheduler", "/bin/sh", "-c", "echo no such flag"))
	<-ended.ended
	s.extras = []*process{running}
	if err := s.checkExtras(); err != nil {
		t.Errorf("all run: %v", err)
	}
	s.extras = append(s.extras, ended)
	checkError(t, s.checkExtras(), []string{"kube-scheduler", "ended by itself", "no such flag"})
}
