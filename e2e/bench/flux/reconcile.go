package main

import (
	"context"
	"errors"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/clusterreader"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/engine"
	"github.com/fluxcd/cli-utils/pkg/object"
	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/normalize"
	"github.com/fluxcd/pkg/ssa/utils"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/bench/peer"
)

const (
	// group, controller and concurrency are those of kustomize-controller: the last is the
	// default of its --concurrent-ssa.
	group       = "kustomize.toolkit.fluxcd.io"
	controller  = "kustomize-controller"
	concurrency = 4
	// name and namespace are of the Kustomization that there would be.
	name      = "bundle"
	namespace = "default"
)

// kustomization is what kustomize-controller knows of a Kustomization between two passes.
type kustomization struct {
	// inventory is of what the last pass applied.
	inventory map[object.ObjMetadata]version
}

// version is of an API group, as the inventory keeps it.
type version string

// reconcile is a pass of kustomize-controller, from the files that "kustomize build" would
// have written: it reads them, applies them in stages, and removes what left.
func (k *kustomization) reconcile(ctx context.Context, order peer.Order) ([]string, error) {
	manager, err := newManager(order.Kubeconfig)
	if err != nil {
		return nil, err
	}
	objects, err := read(order.Files)
	if err != nil {
		return nil, err
	}
	manager.SetOwnerLabels(objects, name, namespace)
	if err := normalize.UnstructuredList(objects); err != nil {
		return nil, err
	}
	changes, err := manager.ApplyAllStaged(ctx, objects, applyOptions())
	if err != nil {
		return nil, err
	}
	now := inventoryOf(changes)
	if _, err := manager.DeleteAll(ctx, stale(k.inventory, now), deleteOptions(manager)); err != nil {
		return nil, err
	}
	k.inventory = now
	return nil, nil
}

// newManager connects as the controller does for a Kustomization that names a kubeconfig:
// anew in each pass, and without a rate limit of its own.
func newManager(kubeconfig string) (*ssa.ResourceManager, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	http, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	mapper, err := apiutil.NewDynamicRESTMapper(config, http)
	if err != nil {
		return nil, err
	}
	to, err := client.New(config, client.Options{HTTPClient: http, Mapper: mapper})
	if err != nil {
		return nil, err
	}
	// A cache of statuses is off by default (DisableStatusPollerCache).
	poller := polling.NewStatusPoller(to, mapper, polling.Options{
		ClusterReaderFactory: engine.ClusterReaderFactoryFunc(clusterreader.NewDirectClusterReader),
	})
	manager := ssa.NewResourceManager(to, poller, ssa.Owner{Field: controller, Group: group})
	manager.SetConcurrency(concurrency)
	return manager, nil
}

func read(files []string) (objects []*unstructured.Unstructured, err error) {
	for _, file := range files {
		some, err := readFile(file)
		if err != nil {
			return nil, err
		}
		objects = append(objects, some...)
	}
	return objects, nil
}

func readFile(path string) (_ []*unstructured.Unstructured, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return utils.ReadObjects(f)
}

// applyOptions are those of the controller for a Kustomization without options.
func applyOptions() ssa.ApplyOptions {
	o := ssa.DefaultApplyOptions()
	o.ExclusionSelector = map[string]string{group + "/reconcile": "disabled", group + "/ssa": "Ignore"}
	o.IfNotPresentSelector = map[string]string{group + "/ssa": "IfNotPresent"}
	o.ForceSelector = map[string]string{group + "/force": "enabled"}
	o.Cleanup = ssa.ApplyCleanupOptions{
		Annotations: []string{
			corev1.LastAppliedConfigAnnotation, group + "/checksum", "fluxcd.io/sync-checksum",
		},
		Labels: []string{"fluxcd.io/sync-gc-mark"},
		FieldManagers: []ssa.FieldManager{
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationApply},
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: "before-first-apply", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: controller, OperationType: metav1.ManagedFieldsOperationUpdate},
		},
		Exclusions: map[string]string{group + "/ssa": "Merge"},
	}
	return o
}

// deleteOptions are those of the controller for what left.
func deleteOptions(manager *ssa.ResourceManager) ssa.DeleteOptions {
	return ssa.DeleteOptions{
		PropagationPolicy: metav1.DeletePropagationBackground,
		Inclusions:        manager.GetOwnerLabels(name, namespace),
		Exclusions: map[string]string{
			group + "/prune": "disabled", group + "/reconcile": "disabled", group + "/ssa": "Ignore",
		},
	}
}

func inventoryOf(changes *ssa.ChangeSet) map[object.ObjMetadata]version {
	all := make(map[object.ObjMetadata]version, len(changes.Entries))
	for _, entry := range changes.Entries {
		all[entry.ObjMetadata] = version(entry.GroupVersion)
	}
	return all
}

// stale returns what was in the inventory and no longer is.
func stale(before, now map[object.ObjMetadata]version) []*unstructured.Unstructured {
	var left []*unstructured.Unstructured
	for of, v := range before {
		if _, stays := now[of]; stays {
			continue
		}
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(of.GroupKind.WithVersion(string(v)))
		u.SetNamespace(of.Namespace)
		u.SetName(of.Name)
		left = append(left, u)
	}
	return left
}
