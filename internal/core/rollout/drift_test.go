package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// takeField has somebody take a field of an object from the set.
func (m *memory) takeField(at string) { m.objects[at].fields = "less" }

// completed is a cluster with the add-on, complete and looked at once more, and the
// rollout that remembers it.
func completed(t *testing.T) (*memory, Rollout) {
	t.Helper()
	cluster := newMemory(t)
	r := remembering(cluster, releaseOf(t, "one", addOn()...))
	complete := completeJob(t, cluster, r, "")
	r = r.at(complete + time.Second)
	r.Run(t.Context())
	cluster.take("")
	return cluster, r
}

// writes returns the applies since the last take, sorted and without the parent's.
func (m *memory) writes() []string {
	writes := slices.DeleteFunc(m.take("apply"), func(at string) bool { return at == parentPath })
	slices.Sort(writes)
	return writes
}

func TestAnObjectThatLostAFieldIsRepaired(t *testing.T) {
	t.Parallel()
	const morePath = "v1/operator/configmaps/more"
	tests := map[string]struct {
		given func(*testing.T, *memory, Rollout) Rollout
		want  []string
	}{
		"at once": {
			given: func(_ *testing.T, m *memory, r Rollout) Rollout { m.takeField(settingsPath); return r },
			want:  []string{settingsPath},
		},
		"unless a watch would have told": {
			given: func(_ *testing.T, m *memory, r Rollout) Rollout {
				m.takeField(settingsPath)
				r.IsQuiet = quiet
				return r
			},
		},
		"nothing after a restart, if nothing is lost": {
			given: func(_ *testing.T, _ *memory, r Rollout) Rollout { r.Memory = &Memory{}; return r },
		},
		"after a restart, with all objects of its kind": {
			given: func(_ *testing.T, m *memory, r Rollout) Rollout {
				m.takeField(gadgetsPath)
				r.Memory = &Memory{}
				return r
			},
			want: []string{gadgetsPath, widgetsPath},
		},
		"by the next release, though its content is the same there": {
			given: func(t *testing.T, m *memory, r Rollout) Rollout {
				t.Helper()
				m.takeField(settingsPath)
				r.Release = releaseOf(t, "two", nextAddOn()...)
				return r
			},
			want: []string{operatorPath, morePath, settingsPath},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster, r := completed(t)
			r = test.given(t, cluster, r)
			complete(t.Context(), t, r, time.Minute)
			if diff := cmp.Diff(test.want, cluster.writes()); diff != "" {
				t.Errorf("applied (-want +got):\n%s", diff)
			}
			r.Memory = &Memory{}
			complete(t.Context(), t, r, time.Hour)
			if got := cluster.writes(); len(got) > 0 && name != "unless a watch would have told" {
				t.Errorf("want nothing more to repair, got %v", got)
			}
		})
	}
}

func TestWhatAnotherPutsBackIsContestedAndSaysByWhom(t *testing.T) {
	t.Parallel()
	cluster, r := completed(t)
	var o Outcome
	for range 2 * maxRepairs {
		cluster.takeField(settingsPath)
		o = r.Run(t.Context())
	}
	if got := cluster.objects[settingsPath].applied; got != 1+maxRepairs {
		t.Errorf("want it repaired %d times, got %d", maxRepairs, got-1)
	}
	if fault.ReasonOf(o.Err, "") != v1alpha1.ContestedReason || fault.ClassOf(o.Err) != fault.ClassStall ||
		!strings.Contains(o.Err.Error(), "ConfigMap operator/settings is changed back again and again by a webhook or a controller") {
		t.Errorf("want it contested, got %v", o.Err)
	}
	delete(cluster.objects, settingsPath)
	if o = r.Run(t.Context()); !strings.Contains(o.Err.Error(), "ConfigMap operator/settings is deleted again and again") {
		t.Errorf("want its deletion contested, got %v", o.Err)
	}
	r.Now = func() time.Time { return noon.Add(time.Minute + repairWindow) }
	if o = r.Run(t.Context()); cluster.objects[settingsPath] == nil {
		t.Errorf("want it repaired again in the next window, got %v", o.Err)
	}
}

func TestWhatIsContestedStaysSoWhenTheReleaseIsOpenedAgain(t *testing.T) {
	t.Parallel()
	cluster, r := completed(t)
	for range 2 * maxRepairs {
		r.Release = releaseOf(t, "one", addOn()...)
		cluster.takeField(settingsPath)
		r.Run(t.Context())
	}
	if got := cluster.objects[settingsPath].applied; got != 1+maxRepairs {
		t.Errorf("want it repaired %d times, got %d", maxRepairs, got-1)
	}
}

func TestAnObjectThatIsContestedDoesNotKeepOthersFromBeingRepaired(t *testing.T) {
	t.Parallel()
	cluster, r := completed(t)
	for range 3 * maxRepairs { // of the settings only while the definition is not repaired
		cluster.takeField(widgetsPath)
		cluster.takeField(settingsPath)
		r.Run(t.Context())
	}
	for _, lost := range []string{gadgetsPath, operatorPath, widgetPath} {
		delete(cluster.objects, lost)
	}
	// The definitions are waited for first.
	for range 3 {
		r.Run(t.Context())
		r = r.at(2 * time.Minute)
	}
	for _, lost := range []string{gadgetsPath, operatorPath, widgetPath} {
		if cluster.objects[lost] == nil {
			t.Errorf("want %s repaired", lost)
		}
	}
	if o := r.Run(t.Context()); fault.ReasonOf(o.Err, "") != v1alpha1.ContestedReason {
		t.Errorf("want what is contested reported, got %v", o.Err)
	}
}

func TestADefinitionThatIsRemovedIsServedAgainBeforeItsInstances(t *testing.T) {
	t.Parallel()
	cluster, r := completed(t)
	cluster.discoveryDelay = 2
	clear(cluster.reads)
	delete(cluster.objects, widgetsPath)
	delete(cluster.objects, widgetPath)
	o := r.Run(t.Context())
	if fault.ReasonOf(o.Err, "") != v1alpha1.CRDsNotServedReason || fault.AfterOf(o.Err) > time.Second {
		t.Errorf("want it to wait for the definition, and not long, got %v", o.Err)
	}
	complete(t.Context(), t, r, time.Minute)
	if cluster.objects[widgetsPath] == nil || cluster.objects[widgetPath] == nil {
		t.Error("want the definition and the instance there")
	}
}
