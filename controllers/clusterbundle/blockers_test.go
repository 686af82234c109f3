package clusterbundle

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// prepared returns a Cluster whose control plane is up, after the given changes.
func prepared(changes ...func(*clusterv1.Cluster)) *clusterv1.Cluster {
	cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "prod"}}
	cluster.Status.Initialization.ControlPlaneInitialized = new(true)
	for _, change := range changes {
		change(cluster)
	}
	return cluster
}

func deleting(c *clusterv1.Cluster)     { c.DeletionTimestamp = new(metav1.NewTime(noon)) }
func pausedBySpec(c *clusterv1.Cluster) { c.Spec.Paused = new(true) }
func annotated(c *clusterv1.Cluster) {
	c.Annotations = map[string]string{clusterv1.PausedAnnotation: ""}
}
func uninitialized(c *clusterv1.Cluster) { c.Status.Initialization.ControlPlaneInitialized = nil }
func notInitialized(c *clusterv1.Cluster) {
	c.Status.Initialization.ControlPlaneInitialized = new(false)
}

func TestWhatKeepsFromAPass(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenCluster *clusterv1.Cluster
		givenSuspend *bool
		wantReason   string
		wantMessage  string
	}{
		"nothing": {givenCluster: prepared(), givenSuspend: new(false)},
		"a Cluster that is being deleted": {
			prepared(deleting), nil, v1alpha1.ClusterNotFoundReason, "Cluster prod is being deleted",
		},
		"a set that is suspended": {
			prepared(), new(true), v1alpha1.SuspendedReason, "ClusterBundleSet cni is suspended",
		},
		"a control plane of which nothing is known": {
			prepared(uninitialized), nil, v1alpha1.ControlPlaneNotInitializedReason,
			"the control plane of Cluster prod is not initialized yet",
		},
		"a control plane that is not up": {
			prepared(notInitialized), nil, v1alpha1.ControlPlaneNotInitializedReason,
			"the control plane of Cluster prod is not initialized yet",
		},
		"deletion before all else": {
			prepared(deleting, uninitialized), new(true), v1alpha1.ClusterNotFoundReason, "Cluster prod is being deleted",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cb := &v1alpha1.ClusterBundle{Spec: v1alpha1.ClusterBundleSpec{SetName: "cni", Suspend: test.givenSuspend}}
			wantWaiting(t, checkBlockers(t.Context(), &scope{cluster: test.givenCluster, clusterBundle: cb}), test.wantReason, test.wantMessage)
		})
	}
}

// wantWaiting checks that err waits for the given reason until a watch wakes us,
// or is nil without one.
func wantWaiting(t *testing.T, err error, reason, message string) {
	t.Helper()
	if reason == "" {
		if err != nil {
			t.Errorf("want no error, got %v", err)
		}
		return
	}
	if fault.ClassOf(err) != fault.ClassWait || fault.ReasonOf(err, "") != reason || fault.AfterOf(err) != 0 {
		t.Fatalf("want to wait for %s, got %v", reason, err)
	}
	if err.Error() != message {
		t.Errorf("want %q, got %q", message, err)
	}
}

func TestPaused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenCluster     *clusterv1.Cluster
		givenAnnotations map[string]string
		want             bool
	}{
		"nothing is":                    {prepared(), nil, false},
		"the Cluster by its spec":       {prepared(pausedBySpec), nil, true},
		"the Cluster by its annotation": {prepared(annotated), nil, true},
		"the ClusterBundle":             {prepared(), map[string]string{clusterv1.PausedAnnotation: "true"}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cb := &v1alpha1.ClusterBundle{ObjectMeta: metav1.ObjectMeta{Annotations: test.givenAnnotations}}
			if got := capi.IsPaused(test.givenCluster, cb); got != test.want {
				t.Errorf("want %t, got %t", test.want, got)
			}
		})
	}
}
