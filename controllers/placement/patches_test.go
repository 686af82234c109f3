package placement

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

func TestAReleaseThatWasReadyIsNotRolledBackForAPatch(t *testing.T) {
	t.Parallel()
	one := v1alpha1.ReleaseReference{Version: "1.0.0", Digest: "sha256:1"}
	two := v1alpha1.ReleaseReference{Version: "2.0.0", Digest: "sha256:2"}
	for name, test := range map[string]struct {
		patches   []v1alpha1.Patch
		rollsBack bool
		ready     metav1.ConditionStatus
		now       v1alpha1.ReleaseReference
		want      v1alpha1.ReleaseReference
	}{
		"Ready, with patches":            {[]v1alpha1.Patch{{}}, true, metav1.ConditionTrue, two, two},
		"not Ready yet":                  {[]v1alpha1.Patch{{}}, true, metav1.ConditionFalse, two, one},
		"without patches":                {nil, true, metav1.ConditionTrue, two, one},
		"without rollbacks":              {[]v1alpha1.Patch{{}}, false, metav1.ConditionTrue, two, one},
		"with another release to follow": {[]v1alpha1.Patch{{}}, true, metav1.ConditionTrue, one, one},
	} {
		set := &v1alpha1.ClusterBundleSet{Spec: v1alpha1.ClusterBundleSetSpec{RollbackOnFailure: &test.rollsBack}}
		set.Spec.Patches = test.patches
		before := &v1alpha1.ClusterBundle{}
		before.Generation, before.Status.ObservedGeneration = 3, 3
		before.Spec.Version, before.Spec.Digest, before.Spec.Previous = two.Version, two.Digest, &one
		before.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ReadyCondition, Status: test.ready}}
		cb := before.DeepCopy()
		cb.Spec.Version, cb.Spec.Digest = test.now.Version, test.now.Digest
		keepFromRollback(set, cb, before)
		if *cb.Spec.Previous != test.want {
			t.Errorf("%s: want %s to return to, got %s", name, test.want.Version, cb.Spec.Previous.Version)
		}
	}
}
