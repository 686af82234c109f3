package main

import (
	"testing"
	"time"
)

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func objectOf(kind, name, content string) *Object {
	o := &Object{Compact: []byte(content)}
	o.SetAPIVersion("v1")
	o.SetKind(kind)
	o.SetName(name)
	return o
}

func TestAnInstallationIsCompleteWithItsLastObject(t *testing.T) {
	t.Parallel()
	crd, deployment := objectOf(definitionKind, "a", ""), objectOf(deploymentKind, "b", "")
	g := newGoal(installed([]*Object{crd, deployment}))
	begin := time.Now()
	after := func(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }

	g.note(crd.Key(), state{uid: "1"}, after(1))
	if isClosed(g.established) {
		t.Error("a CRD counts before it is Established")
	}
	g.note(crd.Key(), state{uid: "1", established: true}, after(2))
	if !isClosed(g.established) || isClosed(g.complete) {
		t.Error("Established does not end what is about CRDs, and only that")
	}
	g.note(deployment.Key(), state{uid: "2"}, after(3))
	g.note(deployment.Key(), state{uid: "2"}, after(9))
	if !isClosed(g.complete) {
		t.Fatalf("it is not complete: %v", g.missing())
	}
	if operator, all := g.at(begin); operator != 3*time.Second || all != 3*time.Second {
		t.Errorf("the operator took %v, all %v", operator, all)
	}
}

func TestAnUpgradeWaitsForWhatDiffersOnly(t *testing.T) {
	t.Parallel()
	before := []*Object{objectOf("ConfigMap", "same", "1"), objectOf("ConfigMap", "changed", "1")}
	after := []*Object{before[0], objectOf("ConfigMap", "changed", "2"), objectOf("ConfigMap", "new", "1")}
	pending := upgraded(before, after, func(string) state { return state{uid: "1", version: "7"} })
	if len(pending) != 2 {
		t.Fatalf("it waits for %d objects", len(pending))
	}
	changed := pending[after[1].Key()]
	if changed.met(state{uid: "1", version: "7"}) || !changed.met(state{uid: "1", version: "8"}) {
		t.Error("an object counts when it has been written, and not before")
	}
}

func TestARepairIsSeenByWhatFollowsTheDamage(t *testing.T) {
	t.Parallel()
	deployment, account := objectOf(deploymentKind, "a", ""), objectOf("ServiceAccount", "b", "")
	d, err := newDamage([]*Object{account, deployment})
	if err != nil {
		t.Fatal(err)
	}
	pending := d.repaired(func(string) state { return state{uid: "1", generation: 1} })
	if met := pending[deployment.Key()].met; met(state{uid: "1", generation: 2}) || !met(state{uid: "1", generation: 3}) {
		t.Error("the damage itself counts as a repair, or the repair does not")
	}
	if met := pending[account.Key()].met; met(state{}) || met(state{uid: "1"}) || !met(state{uid: "2"}) {
		t.Error("only a new object takes the place of one that was deleted")
	}
	if _, err := newDamage(nil); err == nil {
		t.Error("there is something to damage in nothing")
	}
}

func TestAnErrorEndsTheWaiting(t *testing.T) {
	t.Parallel()
	g := newGoal(installed([]*Object{objectOf("ConfigMap", "a", "")}))
	g.fail(errManager)
	if !isClosed(g.complete) || g.missing() == nil {
		t.Error("it waits on")
	}
}
