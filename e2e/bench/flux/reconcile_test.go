package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/bench/peer"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: fluxes.bench.example.com}
spec:
  group: bench.example.com
  scope: Namespaced
  names: {kind: Flux, listKind: FluxList, plural: fluxes, singular: flux}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
---
apiVersion: bench.example.com/v1
kind: Flux
metadata: {name: instance, namespace: default}
---
`

func configMap(name, value string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: default}\ndata: {value: " + value + "}\n---\n"
}

func TestMain(m *testing.M) { testenv.Main(m) }

func TestAPassInstallsChangesNothingRepairsUpgradesAndPrunes(t *testing.T) {
	workload := testenv.SharedWorkload(t)
	proxy := testenv.NewProxy(t, workload.APIServer)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	file := filepath.Join(t.TempDir(), "bundle.yaml")
	write(t, kubeconfig, string(proxy.Kubeconfig()))
	k := &kustomization{}
	pass := func(content string) []string {
		t.Helper()
		write(t, file, content)
		proxy.Reset()
		if _, err := k.reconcile(t.Context(), peer.Order{Kubeconfig: kubeconfig, Files: []string{file}, Within: time.Minute}); err != nil {
			t.Fatal(err)
		}
		return written(proxy)
	}
	release := definition + configMap("flux-stays", "one")
	first := release + configMap("flux-leaves", "one")

	pass(first)
	instance := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "bench.example.com/v1", "kind": "Flux"}}
	if err := workload.Client.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "instance"}, instance); err != nil {
		t.Error(err)
	}
	if got := pass(first); len(got) != 0 {
		t.Errorf("nothing changed, and it wrote %v", got)
	}
	stays := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "flux-stays"}}
	if err := workload.Client.Delete(t.Context(), stays); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"patch flux-stays"}, pass(first)); diff != "" {
		t.Errorf("a repair: %s", diff)
	}
	if diff := cmp.Diff([]string{"delete flux-leaves"}, pass(release)); diff != "" {
		t.Errorf("an upgrade: %s", diff)
	}
	leaves := &corev1.ConfigMap{}
	if err := workload.Client.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "flux-leaves"}, leaves); !apierrors.IsNotFound(err) {
		t.Errorf("what left is there: %v", err)
	}
}

// written returns the writes that were no dry run.
func written(proxy *testenv.Proxy) []string {
	var all []string
	for _, r := range proxy.Writes() {
		if !strings.Contains(r.Query, "dryRun=All") {
			all = append(all, r.Verb+" "+r.Name)
		}
	}
	return all
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
