package workload

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestOfTwoSetsThatMakeAnObjectAtOnceOneWins(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	c := newClient(t, w.Config)
	ref := refTo("ConfigMap", ns, "settings")
	ours, theirs := bodyOf(ref, `,"data":{"key":"ours"}`), bodyOf(ref, `,"data":{"key":"theirs"}`)

	if _, err := c.Create(t.Context(), core(t, "ConfigMap"), ref, ours, "caapb.team-a.one"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(t.Context(), core(t, "ConfigMap"), ref, theirs, "caapb.team-a.two"); !errors.Is(err, inventory.ErrChanged) {
		t.Errorf("want the other set to look again, got %v", err)
	}
	if got := read(t, w.APIServer, ns, "settings", &corev1.ConfigMap{}).Data["key"]; got != "ours" {
		t.Errorf("want the object of the first, got %q", got)
	}
	// An answer that was lost is no conflict with oneself.
	if _, err := c.Create(t.Context(), core(t, "ConfigMap"), ref, ours, "caapb.team-a.one"); err != nil {
		t.Error(err)
	}
}
