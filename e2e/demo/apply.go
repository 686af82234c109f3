package main

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// The label by which a Cluster opts in.
const (
	labelKey   = "cni"
	labelValue = "calico"
)

// applyBundle makes the Bundle and waits until it is fetched and indexed, which
// happens before any Cluster wants it.
func (w *world) applyBundle(ctx context.Context) error {
	object := w.bundle.object
	if err := w.management.Client.Create(ctx, object); err != nil {
		return err
	}
	if err := w.await(ctx, func(ctx context.Context) error {
		if err := w.management.Client.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		return readiness(object.GetConditions())
	}); err != nil {
		return fmt.Errorf("bundle %s: %w", object.Name, err)
	}
	for _, release := range object.Status.Releases {
		w.detail("fetched, verified and indexed: %s with %d objects, %d of them CRDs, %s",
			release.Version, release.Objects, release.CRDs, bytesText(release.Bytes))
	}
	return nil
}

// applySet makes the set and waits until it has seen that it selects nothing.
func (w *world) applySet(ctx context.Context) error {
	set := newSet(w.bundle)
	if err := w.management.Client.Create(ctx, set); err != nil {
		return err
	}
	if err := w.await(ctx, func(ctx context.Context) error {
		if err := w.management.Client.Get(ctx, client.ObjectKeyFromObject(set), set); err != nil {
			return err
		}
		if set.Status.Matched == nil {
			return errors.New("has no status yet")
		}
		return nil
	}); err != nil {
		return fmt.Errorf("clusterbundleset %s: %w", set.Name, err)
	}
	w.detail("it selects %d Clusters: none has the label yet", *set.Status.Matched)
	return nil
}

// awaitCounts waits until the set counts all Clusters as ready: it learns of the
// last one a moment later than the live view.
func (w *world) awaitCounts(ctx context.Context) error {
	set, want := newSet(w.bundle), int32(len(w.members()))
	return w.await(ctx, func(ctx context.Context) error {
		if err := w.management.Client.Get(ctx, client.ObjectKeyFromObject(set), set); err != nil {
			return err
		}
		if got := ptr.Deref(set.Status.Ready, 0); got != want {
			return fmt.Errorf("clusterbundleset %s counts %d of %d Clusters as ready", set.Name, got, want)
		}
		return nil
	})
}

// label gives the Cluster the label.
func (w *world) label(ctx context.Context, name string) error {
	cluster := &clusterv1.Cluster{}
	if err := w.management.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, cluster); err != nil {
		return err
	}
	before := cluster.DeepCopy()
	if cluster.Labels == nil {
		cluster.Labels = map[string]string{}
	}
	cluster.Labels[labelKey] = labelValue
	return w.management.Client.Patch(ctx, cluster, client.MergeFrom(before))
}

// readiness returns nil if the Ready condition is True, else an error with
// the reason.
func readiness(conditions []metav1.Condition) error {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ReadyCondition)
	if ready == nil {
		return errors.New("has no status yet")
	}
	if ready.Status != metav1.ConditionTrue {
		return fmt.Errorf("%s: %s", ready.Reason, ready.Message)
	}
	return nil
}
