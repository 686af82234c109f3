package rollout

import (
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

const apiServicePath = "apiregistration.k8s.io/v1/apiservices/v1.gears.example.com"

func TestTheEndOfAPhaseWaitsForAPIServices(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	r := rolloutOf(cluster, releaseOf(t, "one", written{name: "api", documents: []string{
		object("apiregistration.k8s.io/v1", "APIService", "", "v1.gears.example.com"),
		object("v1", "ConfigMap", "default", "settings"),
	}}))
	o := settle(t, r)
	wantErr(t, o.Err, fault.ClassWait, v1alpha1.WorkloadsNotReadyReason, workloadRetry,
		"phase api: APIService v1.gears.example.com has neither the condition Ready nor Available")
	cluster.objects[apiServicePath].status = conditions("Available", "True", "Passed", "")
	if o = settle(t, r); o.Err != nil {
		t.Errorf("want it ready, got %v", o.Err)
	}
	cluster.objects[apiServicePath].status = conditions("Available", "False", "MissingEndpoints", "nobody answers")
	wantErr(t, settle(t, r).Err, fault.ClassWait, v1alpha1.WorkloadsNotReadyReason, workloadRetry,
		"phase api: APIService v1.gears.example.com is not Available: MissingEndpoints: nobody answers")
}

func TestTheEndOfAPhaseWaitsForConditionsWhereItIsToldTo(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	release := releaseOf(t, "one", addOn()...)
	if o := settle(t, rolloutOf(cluster, release)); o.Err != nil {
		t.Fatalf("want custom resources ready as soon as they are applied, got %v", o.Err)
	}
	cluster = newMemory(t)
	release.Phases[2].WaitForConditions = true
	r := rolloutOf(cluster, release)
	wantErr(t, settle(t, r).Err, fault.ClassWait, v1alpha1.WorkloadsNotReadyReason, workloadRetry, "phase resources: "+
		"Gadget first has neither the condition Ready nor Available, Widget default has neither the condition Ready nor Available")
	cluster.objects[widgetPath].status = conditions("Ready", "True", "", "")
	cluster.objects[gadgetPath].status = conditions("Stalled", "True", "BadSpec", "no such colour")
	wantErr(t, settle(t, r).Err, fault.ClassStall, v1alpha1.WorkloadsNotReadyReason, 0,
		"phase resources: Gadget first: BadSpec: no such colour")
	cluster.objects[gadgetPath].status = conditions("Available", "True", "", "")
	if o := settle(t, r); o.Err != nil {
		t.Errorf("want it ready, got %v", o.Err)
	}
}
