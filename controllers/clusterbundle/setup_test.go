package clusterbundle

import (
	"testing"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

func TestClusterChangedLetsThroughWhatMatters(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenOld, givenNew *clusterv1.Cluster
		want               bool
	}{
		"a heartbeat": {prepared(), prepared(func(c *clusterv1.Cluster) {
			c.ResourceVersion, c.Labels, c.Status.Phase = "2", map[string]string{"a": "b"}, "Provisioned"
		}), false},
		"it is paused":          {prepared(), prepared(pausedBySpec), true},
		"it is unpaused":        {prepared(annotated), prepared(), true},
		"paused in another way": {prepared(annotated), prepared(pausedBySpec), true},
		"another manager has it": {prepared(), prepared(func(c *clusterv1.Cluster) {
			c.Labels = map[string]string{clusterv1.WatchLabel: "two"}
		}), true},
		"its control plane came up":   {prepared(uninitialized), prepared(), true},
		"its control plane went away": {prepared(), prepared(notInitialized), true},
		"it is being deleted":         {prepared(), prepared(deleting), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := clusterChanged().Update(event.UpdateEvent{ObjectOld: test.givenOld, ObjectNew: test.givenNew})
			if got != test.want {
				t.Errorf("want %t, got %t", test.want, got)
			}
		})
	}
	if !clusterChanged().Create(event.CreateEvent{Object: prepared()}) ||
		!clusterChanged().Delete(event.DeleteEvent{Object: prepared()}) {
		t.Error("want a Cluster that is new or gone let through")
	}
}
