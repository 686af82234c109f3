package plan

import (
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

func TestAReplacedObjectKeepsItsPlaceAndAllOthersAreShared(t *testing.T) {
	t.Parallel()
	of := func(name string) Object {
		return Object{Entry: manifest.Entry{Ref: manifest.Ref{Name: name}}, Blob: "b"}
	}
	steps := func() []Step {
		return []Step{{Name: StepConfig, Objects: []Object{of("a")}}, {Name: StepWorkloads, Gate: GateWorkloads, Objects: []Object{of("b"), of("c")}}}
	}
	before := &Plan{Phases: []Phase{{Name: "all", Steps: steps()}}, Upgrade: &Plan{Phases: []Phase{{Name: "all", Steps: steps()}}}}
	after := before.Replace(func(o Object) (manifest.Entry, bool) {
		entry := o.Entry
		entry.SHA256 = "new"
		return entry, o.Name == "c"
	})
	for i, variant := range after.Variants() {
		was, is := before.Variants()[i].Phases[0].Steps, variant.Phases[0].Steps
		if &was[0].Objects[0] != &is[0].Objects[0] {
			t.Error("want the first step shared")
		}
		if is[1].Objects[1].SHA256 != "new" || is[1].Objects[1].Blob != "b" || is[1].Objects[0].SHA256 != "" || is[1].Gate != GateWorkloads {
			t.Errorf("want c replaced at its place, got %+v", is[1])
		}
		if was[1].Objects[1].SHA256 != "" {
			t.Error("want the plan before as it was")
		}
	}
}
