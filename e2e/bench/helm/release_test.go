package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/bench/packing"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/bench/peer"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

const (
	instances = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: helms.bench.example.com}
spec:
  group: bench.example.com
  scope: Namespaced
  names: {kind: Helm, listKind: HelmList, plural: helms, singular: helm}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
---
apiVersion: bench.example.com/v1
kind: Helm
metadata: {name: instance, namespace: default}
---
`
	// deployment never becomes Available on a cluster without Nodes.
	deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: helm-operator, namespace: default}
spec:
  selector: {matchLabels: {app: operator}}
  template:
    metadata: {labels: {app: operator}}
    spec: {containers: [{name: operator, image: "registry.example.com/operator:1"}]}
---
`
)

func configMap(name string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: default}\n---\n"
}

func TestMain(m *testing.M) { testenv.Main(m) }

func TestAPassInstallsLeavesAloneAndUpgrades(t *testing.T) {
	workload := testenv.SharedWorkload(t)
	proxy := testenv.NewProxy(t, workload.APIServer)
	dir := t.TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(kubeconfig, proxy.Kubeconfig(), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(version, content string) string {
		t.Helper()
		proxy.Reset()
		chart := packed(t, dir, version, content)
		notes, err := pass(t.Context(), peer.Order{Kubeconfig: kubeconfig, Files: []string{chart}, Within: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(notes, "\n")
	}
	get := func(o client.Object, name string) error {
		return workload.Client.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: name}, o)
	}
	first := instances + deployment + configMap("helm-leaves")

	run("1.0.0", first)
	instance := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "bench.example.com/v1", "kind": "Helm"}}
	if err := get(instance, "instance"); err != nil {
		t.Errorf("the custom resource, behind its CRD: %v", err)
	}
	if notes := run("1.0.0", first); len(proxy.Writes()) != 0 || !strings.Contains(notes, "is left alone") {
		t.Errorf("nothing changed: %d writes, notes: %s", len(proxy.Writes()), notes)
	}
	notes := run("1.1.0", instances+deployment+configMap("helm-new"))
	if proxy.Count("patch", "customresourcedefinitions") != 0 || !strings.Contains(notes, "leaves out the CRDs") {
		t.Errorf("an upgrade: notes: %s", notes)
	}
	if err := get(&corev1.ConfigMap{}, "helm-new"); err != nil {
		t.Error(err)
	}
	if err := get(&corev1.ConfigMap{}, "helm-leaves"); !apierrors.IsNotFound(err) {
		t.Errorf("what left is there: %v", err)
	}
}

// packed writes the chart and returns its path.
func packed(t *testing.T, dir, version, content string) string {
	t.Helper()
	file, chart := filepath.Join(dir, "bundle.yaml"), filepath.Join(dir, version+".tgz")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := packing.Chart(chart, version, []string{file}); err != nil {
		t.Fatal(err)
	}
	return chart
}
