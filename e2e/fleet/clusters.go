package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

const (
	// selected is the label by which a set selects a Cluster: its value is the set's name.
	selected = "fleet"
	// nobody is the value of Clusters that no set selects.
	nobody = "none"
	// The sets: one delivers the newest release, the other first the earlier one.
	newestSet  = "newest"
	earlierSet = "earlier"
	// writers is how many requests a run has under way at the management cluster.
	writers = 8
	// field manager of what the run writes.
	writer = client.FieldOwner("fleet")
)

// kubeconfig is a simulated cluster for testenv.
type kubeconfig []byte

// Kubeconfig returns the content of the Secret.
func (k kubeconfig) Kubeconfig() []byte { return k }

// addFleet makes the Clusters that the run was asked for.
func (w *world) addFleet(ctx context.Context) error {
	if err := w.addClusters(ctx, w.layout.fleet); err != nil {
		return err
	}
	stored, err := w.management.Stored(ctx, storedClusters)
	if err != nil {
		return err
	}
	w.clusterBytes = stored.Bytes
	w.detail("%d Clusters with their kubeconfigs, as Cluster API leaves them", stored.Objects)
	return nil
}

// addClusters makes the Clusters of a group, which no set selects.
func (w *world) addClusters(ctx context.Context, g group) error {
	return each(ctx, g, func(ctx context.Context, i int) error {
		return w.management.AddBareCluster(ctx, testenv.ClusterOptions{
			Namespace: namespace, Name: clusterName(i), Labels: map[string]string{selected: nobody},
			Pods: []string{"10.244.0.0/16"}, Workload: kubeconfig(w.kubeconfigs[i]),
		})
	})
}

// label gives all Clusters of the group the label of a set.
func (w *world) label(ctx context.Context, a *wave, g group, set string) error {
	patch := client.RawPatch(mergePatch, fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, selected, set))
	return each(ctx, g, func(ctx context.Context, i int) error {
		cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: clusterName(i)}}
		w.watcher.starting(a, cluster.Name, time.Now())
		return w.management.Client.Patch(ctx, cluster, patch, writer)
	})
}

// each does something for each cluster of a group, several at once.
func each(ctx context.Context, g group, do func(context.Context, int) error) error {
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(writers)
	for i := g.from; i < g.to && ctx.Err() == nil; i++ {
		all.Go(func() error { return do(ctx, i) })
	}
	return all.Wait()
}

// applyBundle makes the Bundle, waits until its releases are fetched and indexed, and makes
// both sets.
func (w *world) applyBundle(ctx context.Context) error {
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := w.management.Client.Watch(watching, &v1alpha1.BundleList{}, client.InNamespace(namespace))
	if err != nil {
		return err
	}
	defer events.Stop()
	if err := w.management.Client.Create(ctx, w.bundle); err != nil {
		return err
	}
	reason := "has no status yet"
	for reason != "" {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the Bundle is not ready: %s", reason)
		case event, open := <-events.ResultChan():
			b, ok := event.Object.(*v1alpha1.Bundle)
			if !open || !ok {
				return errors.New("the watch of the Bundle ended")
			}
			reason = reasonOf(b.GetConditions())
		}
	}
	for set, version := range map[string]string{newestSet: newest, earlierSet: earlier} {
		if err := w.management.Client.Create(ctx, newSet(set, version)); err != nil {
			return err
		}
	}
	w.detail("all releases are fetched, verified and indexed")
	return nil
}

func newSet(name, version string) *v1alpha1.ClusterBundleSet {
	return &v1alpha1.ClusterBundleSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.ClusterBundleSetSpec{
			ClusterSelector: metav1.LabelSelector{MatchLabels: map[string]string{selected: name}},
			Bundle:          v1alpha1.BundleSelector{Name: bundleName, Version: version},
		},
	}
}

// mergePatch is the kind of the patches that a run sends.
const mergePatch = types.MergePatchType
