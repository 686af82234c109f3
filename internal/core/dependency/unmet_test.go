package dependency

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
)

// parentAt returns the parent of a set whose release has so many of its phases, crds
// and operator, complete.
func parentAt(t *testing.T, complete int) *corev1.ConfigMap {
	t.Helper()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	progress := inventory.Progress{}.Begin(now)
	for range complete {
		progress = progress.Complete(now).Begin(now)
	}
	parent, err := inventory.ParentOf("default", "cni").Update(
		&corev1.ConfigMap{}, inventory.Record{Version: "3.32.1", Progress: progress}, []string{"crds", "operator"})
	if err != nil {
		t.Fatal(err)
	}
	return parent
}

func TestASetWaitsForOneThatIsNotCompleteOnTheCluster(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenParent   *corev1.ConfigMap
		givenDelivers bool
		want          string
	}{
		"it has not begun":                {&corev1.ConfigMap{}, true, "which has not begun on this Cluster"},
		"it has begun":                    {parentAt(t, 0), true, "which is at phase crds of release 3.32.1"},
		"it is at its last phase":         {parentAt(t, 1), true, "which is at phase operator of release 3.32.1"},
		"it is complete":                  {parentAt(t, 2), true, ""},
		"it is complete and its set gone": {parentAt(t, 2), false, ""},
		"it was left before it was done":  {parentAt(t, 1), false, "which does not deliver to Cluster prod"},
		"it does not select this Cluster": {&corev1.ConfigMap{}, false, "which does not deliver to Cluster prod"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := Other{Set: "cni", Cluster: "prod", Parent: test.givenParent, Delivers: test.givenDelivers}.Unmet()
			if test.want == "" {
				if err != nil {
					t.Errorf("want nothing to wait for, got %v", err)
				}
				return
			}
			if want := "waits for ClusterBundleSet cni, " + test.want; err == nil || err.Error() != want {
				t.Errorf("want %q, got %v", want, err)
			}
			if fault.ClassOf(err) != fault.ClassWait || fault.ReasonOf(err, "") != v1alpha1.DependencyNotReadyReason || fault.AfterOf(err) != 0 {
				t.Errorf("want it to wait for a watch with the reason %s, got %#v", v1alpha1.DependencyNotReadyReason, err)
			}
		})
	}
}
