package testenv

import (
	"context"
	"fmt"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// stages of kwok's own: a Node is Ready and a Pod runs as soon as kwok sees it.
// See https://kwok.sigs.k8s.io/docs/user/stages-configuration.
var stages = []string{
	"node/fast/node-initialize.yaml",
	"node/heartbeat/node-heartbeat.yaml",
	"pod/fast/pod-ready.yaml",
	"pod/fast/pod-complete.yaml",
	"pod/fast/pod-delete.yaml",
}

// simulate makes a whole cluster of the API server.
func (w *Workload) simulate(ctx context.Context, nodes int) error {
	// There is neither a cloud nor a network for these two to work on.
	if err := w.startControllers("*,-node-ipam-controller,-cloud-node-lifecycle-controller"); err != nil {
		return err
	}
	if err := w.startExtra("kube-scheduler", "--kubeconfig="+w.KubeconfigPath(), "--secure-port=0",
		"--leader-elect=false", "--kube-api-qps=500", "--kube-api-burst=1000"); err != nil {
		return err
	}
	if err := w.startKwok(ctx); err != nil {
		return err
	}
	for i := range nodes {
		if err := w.Client.Create(ctx, simulatedNode(fmt.Sprintf("node-%d", i))); err != nil {
			return fmt.Errorf("node: %w", err)
		}
	}
	return w.waitForNodes(ctx, nodes)
}

func (w *Workload) startKwok(ctx context.Context) error {
	module, err := moduleDir(ctx, "sigs.k8s.io/kwok", "hack", "controlplane")
	if err != nil {
		return err
	}
	flags := []string{"--kubeconfig=" + w.KubeconfigPath(), "--manage-all-nodes=true"}
	for _, stage := range stages {
		flags = append(flags, "--config="+filepath.Join(module, "kustomize", "stage", filepath.FromSlash(stage)))
	}
	return w.startExtra("kwok", flags...)
}

// startControllers starts the controller manager with these controllers.
func (s *APIServer) startControllers(controllers string) error {
	return s.startExtra("kube-controller-manager",
		"--kubeconfig="+s.KubeconfigPath(),
		"--controllers="+controllers,
		"--secure-port=0",
		"--leader-elect=false",
		"--root-ca-file="+s.file("ca.crt"),
		"--service-account-private-key-file="+s.file("accounts.key"),
		"--kube-api-qps=500", "--kube-api-burst=1000",
	)
}

func (s *APIServer) startExtra(name string, flags ...string) error {
	p, err := startProcess(name, flags...)
	if err != nil {
		return err
	}
	s.extras = append(s.extras, p)
	return nil
}

// waitForNodes waits until all Nodes are Ready.
func (w *Workload) waitForNodes(ctx context.Context, want int) error {
	kwok := w.extras[len(w.extras)-1]
	return kwok.waitReady(ctx, func(ctx context.Context) error {
		if err := w.checkExtras(); err != nil {
			return err
		}
		nodes := &corev1.NodeList{}
		if err := w.Client.List(ctx, nodes); err != nil {
			return err
		}
		ready := 0
		for _, node := range nodes.Items {
			if nodeIsReady(&node) {
				ready++
			}
		}
		if ready != want {
			return fmt.Errorf("%d of %d nodes are ready", ready, want)
		}
		account := client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: "default"}
		return w.Client.Get(ctx, account, &corev1.ServiceAccount{})
	})
}

// checkExtras returns an error if a program that works on the API server has
// ended.
func (s *APIServer) checkExtras() error {
	for _, p := range s.extras {
		if p.hasEnded() {
			return p.failure(errEnded)
		}
	}
	return nil
}

func nodeIsReady(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// simulatedNode returns a Node with room for everything that a test makes.
func simulatedNode(name string) *corev1.Node {
	room := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("1000"),
		corev1.ResourceMemory: resource.MustParse("1Ti"),
		corev1.ResourcePods:   resource.MustParse("10000"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"},
			Labels: map[string]string{
				corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
			},
		},
		Status: corev1.NodeStatus{Allocatable: room, Capacity: room},
	}
}
