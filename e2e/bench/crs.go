package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	addonsv1 "sigs.k8s.io/cluster-api/api/addons/v1beta2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/bench/packing"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/measure"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

const (
	crsProgram = "capi-core"
	crsModule  = "sigs.k8s.io/cluster-api"
	// bundleName is the name of the ClusterResourceSet, with which those of its ConfigMaps begin.
	bundleName = "bundle"
	// crsLabel of a Cluster selects it for the ClusterResourceSet.
	crsLabel = "bench-crs"
	// crsInterval is how often Cluster API looks at a ClusterResourceSet at most: an
	// installation begins when the time since it was made is over, as in life.
	crsInterval = 2 * time.Second
)

// crsWay is a ClusterResourceSet by the real core controllers of Cluster API, which keep
// running. The ConfigMaps are made before the clock starts.
type crsWay struct {
	management *testenv.Management
	program    string
}

// Name of the way.
func (w *crsWay) Name() string { return "crs" }

// Describe names the version of Cluster API.
func (w *crsWay) Describe() string {
	return fmt.Sprintf("ClusterResourceSet of Cluster API %s, strategy Reconcile, from the label on the Cluster; "+
		"the bundle is in ConfigMaps, as JSON without white space", versionIn(w.program, crsModule))
}

// Prepare starts a management cluster with Cluster API.
func (w *crsWay) Prepare(ctx context.Context, s Setup) (err error) {
	if w.program, err = testenv.Program(crsProgram); err != nil {
		return err
	}
	s.Say("crs: starts Cluster API's core controllers")
	if w.management, err = testenv.StartManagement(ctx, testenv.ManagementOptions{Controllers: true}); err != nil {
		return err
	}
	return w.management.StartCAPI(ctx)
}

// Close stops everything.
func (w *crsWay) Close() {
	if w.management != nil {
		w.management.Stop()
	}
}

// Attach makes the Cluster without a label, and waits until Cluster API is connected.
func (w *crsWay) Attach(ctx context.Context, t *Target) (Session, error) {
	namespace, err := w.management.NewNamespace(ctx, t.Name)
	if err != nil {
		return nil, err
	}
	cluster, err := w.management.AddCluster(ctx, testenv.ClusterOptions{
		Namespace: namespace, Name: t.Name, Workload: t.Through,
	})
	if err != nil {
		return nil, fmt.Errorf("crs: %w", err)
	}
	return &crsSession{crsWay: w, cluster: cluster}, nil
}

// crsSession is one Cluster and its ClusterResourceSet, in a namespace of their own.
type crsSession struct {
	*crsWay

	cluster *clusterv1.Cluster
	set     *addonsv1.ClusterResourceSet
}

// Ready makes the ConfigMaps and the ClusterResourceSet before an installation.
func (s *crsSession) Ready(ctx context.Context, step Step) (Run, error) {
	switch step.Kind {
	case Again:
		return nil, &Cannot{Why: "does nothing that can be seen while its ConfigMaps stay the same"}
	case Repair:
		return nil, &Cannot{Why: "never looks at what it has applied while its ConfigMaps stay the same"}
	case Install, Upgrade:
	}
	maps, undeliverable, err := packing.ConfigMaps(s.cluster.Namespace, bundleName, step.Release.allFiles())
	if err != nil {
		return nil, err
	}
	if len(undeliverable) > 0 {
		return nil, &Cannot{Why: "over the limit of a ConfigMap: " + strings.Join(undeliverable, ", ")}
	}
	if step.Kind == Upgrade {
		return s.timed(func(ctx context.Context) error { return s.replace(ctx, maps) })
	}
	if err := s.create(ctx, maps); err != nil {
		return nil, err
	}
	return s.timed(s.label)
}

func (s *crsSession) create(ctx context.Context, maps []*corev1.ConfigMap) error {
	for _, m := range maps {
		if err := s.management.Client.Create(ctx, m); err != nil {
			return err
		}
	}
	s.set = &addonsv1.ClusterResourceSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.cluster.Namespace, Name: bundleName},
		Spec: addonsv1.ClusterResourceSetSpec{
			ClusterSelector: metav1.LabelSelector{MatchLabels: map[string]string{crsLabel: s.cluster.Name}},
			Strategy:        string(addonsv1.ClusterResourceSetStrategyReconcile),
			Resources:       resourcesOf(maps),
		},
	}
	if err := s.management.Client.Create(ctx, s.set); err != nil {
		return err
	}
	return pause(ctx, crsInterval)
}

func resourcesOf(maps []*corev1.ConfigMap) []addonsv1.ResourceRef {
	all := make([]addonsv1.ResourceRef, len(maps))
	for i, m := range maps {
		all[i] = addonsv1.ResourceRef{Kind: string(addonsv1.ConfigMapClusterResourceSetResourceKind), Name: m.Name}
	}
	return all
}

func (s *crsSession) label(ctx context.Context) error {
	before := s.cluster.DeepCopy()
	s.cluster.Labels = map[string]string{crsLabel: s.cluster.Name}
	return s.management.Client.Patch(ctx, s.cluster, client.MergeFrom(before))
}

// replace brings the ConfigMaps of another release.
func (s *crsSession) replace(ctx context.Context, maps []*corev1.ConfigMap) error {
	for i, m := range maps {
		var err error
		if i < len(s.set.Spec.Resources) {
			err = s.management.Client.Update(ctx, m)
		} else {
			err = s.management.Client.Create(ctx, m)
		}
		if err != nil {
			return err
		}
	}
	if err := s.management.Client.Get(ctx, client.ObjectKeyFromObject(s.set), s.set); err != nil {
		return err
	}
	before := s.set.DeepCopy()
	s.set.Spec.Resources = resourcesOf(maps)
	return s.management.Client.Patch(ctx, s.set, client.MergeFrom(before))
}

// timed returns a Run that acts, and waits until everything is seen in the cluster and
// Cluster API has noted that it applied everything.
func (s *crsSession) timed(act func(context.Context) error) (Run, error) {
	pid := s.management.CAPIPID()
	before, err := usedFrom(pid)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, complete <-chan struct{}) (measure.Usage, error) {
		if err := act(ctx); err != nil {
			return measure.Usage{}, err
		}
		if err := closedOrDone(ctx, complete); err != nil {
			return measure.Usage{}, failed(ctx, errors.Join(errors.New("not everything was applied in time"), err))
		}
		if err := s.awaitApplied(ctx); err != nil {
			return measure.Usage{}, err
		}
		return usedSince(pid, before)
	}, nil
}

// awaitApplied watches what Cluster API keeps about the resources.
func (s *crsSession) awaitApplied(ctx context.Context) error {
	w, err := s.management.Client.Watch(ctx, &addonsv1.ClusterResourceSetBindingList{}, client.InNamespace(s.cluster.Namespace))
	if err != nil {
		return err
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		binding, ok := event.Object.(*addonsv1.ClusterResourceSetBinding)
		if ok && event.Type != watch.Deleted && isApplied(binding, s.set.Spec.Resources) {
			return nil
		}
	}
	return errors.Join(errors.New("the ClusterResourceSetBinding does not say that all is applied"), ctx.Err())
}

// isApplied reports whether all of the resources are.
func isApplied(binding *addonsv1.ClusterResourceSetBinding, resources []addonsv1.ResourceRef) bool {
	applied := map[addonsv1.ResourceRef]bool{}
	for _, set := range binding.Spec.Bindings {
		for _, r := range set.Resources {
			applied[r.ResourceRef] = r.Applied != nil && *r.Applied
		}
	}
	for _, r := range resources {
		if !applied[r] {
			return false
		}
	}
	return true
}

// Close deletes the Cluster, so that Cluster API does not try to reach it any more.
func (s *crsSession) Close(ctx context.Context) error {
	if s.set != nil {
		if err := client.IgnoreNotFound(s.management.Client.Delete(ctx, s.set)); err != nil {
			return err
		}
	}
	return client.IgnoreNotFound(s.management.Client.Delete(ctx, s.cluster))
}
