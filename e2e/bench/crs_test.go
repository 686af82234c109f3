package main

import (
	"testing"

	addonsv1 "sigs.k8s.io/cluster-api/api/addons/v1beta2"
)

func TestAClusterResourceSetIsAppliedOnceEachConfigMapIs(t *testing.T) {
	resources := []addonsv1.ResourceRef{{Kind: "ConfigMap", Name: "a"}, {Kind: "ConfigMap", Name: "b"}}
	binding := func(applied ...bool) *addonsv1.ClusterResourceSetBinding {
		set := addonsv1.ResourceSetBinding{}
		for i, yes := range applied {
			set.Resources = append(set.Resources, addonsv1.ResourceBinding{ResourceRef: resources[i], Applied: new(yes)})
		}
		b := &addonsv1.ClusterResourceSetBinding{}
		b.Spec.Bindings = []addonsv1.ResourceSetBinding{set}
		return b
	}
	for _, c := range []struct {
		applied []bool
		want    bool
	}{{nil, false}, {[]bool{true}, false}, {[]bool{true, false}, false}, {[]bool{true, true}, true}} {
		if got := isApplied(binding(c.applied...), resources); got != c.want {
			t.Errorf("%v: %v", c.applied, got)
		}
	}
}
