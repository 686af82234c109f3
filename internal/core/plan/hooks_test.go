package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// hook returns a document with a hook; mark is as the rendering of its chart writes it.
func hook(apiVersion, kind, name, mark string) string {
	return strings.Replace(object(apiVersion, kind, name), "metadata: {",
		fmt.Sprintf("metadata: {annotations: {%s: '%s'}, ", manifest.HookAnnotation, mark), 1)
}

const (
	before = `{"install":"Before","upgrade":"Before"}`
	after  = `{"install":"After","upgrade":"After"}`
)

func TestHooksHaveStepsOfTheirOwn(t *testing.T) {
	t.Parallel()
	chart := object("v1", "ConfigMap", "n/c") + object("apps/v1", "Deployment", "n/d") +
		crd("things", "Namespaced", "v1") + object("example.org/v1", "Thing", "n/t")
	deployment := "  apps/v1/namespaces/n/deployments/d"
	definition := "  apiextensions.k8s.io/v1/customresourcedefinitions/things.example.org"
	ordinary := []string{
		"a crds, gate CRDs", definition, "a config", "  v1/namespaces/n/configmaps/c",
		"a workloads, gate Workloads", deployment, "a instances", "  example.org/v1/namespaces/n/things/t",
	}
	tests := map[string]struct {
		given                  string
		wantBefore, wantBehind []string
		wantFirst              []string
	}{
		"before and behind the others": {
			given:      hook("batch/v1", "Job", "n/x", before) + hook("batch/v1", "Job", "n/y", after),
			wantBefore: []string{"a pre-hooks, gate Hooks", "  batch/v1/namespaces/n/jobs/x"},
			wantBehind: []string{"a post-hooks, gate Hooks", "  batch/v1/namespaces/n/jobs/y"},
		},
		"by their weight, then by their kind": {
			given: hook("batch/v1", "Job", "n/a", `{"install":"Before","upgrade":"Before","weight":10}`) +
				hook("batch/v1", "Job", "n/b", before) + hook("v1", "ServiceAccount", "n/b", before) +
				hook("batch/v1", "Job", "n/c", `{"install":"Before","upgrade":"Before","weight":-2}`),
			wantBefore: []string{
				"a pre-hooks, gate Hooks", "  batch/v1/namespaces/n/jobs/c",
				"a pre-hooks", "  v1/namespaces/n/serviceaccounts/b",
				"a pre-hooks, gate Hooks", "  batch/v1/namespaces/n/jobs/b",
				"a pre-hooks, gate Hooks", "  batch/v1/namespaces/n/jobs/a",
			},
		},
		"a Namespace where Namespaces are": {
			given:     hook("v1", "Namespace", "n", after),
			wantFirst: []string{"a namespaces", "  v1/namespaces/n"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, err := New([]Input{phase(t, "a", chart+test.given)}, manifest.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			want = append(want, test.wantFirst...)
			want = append(want, ordinary[:2]...)
			want = append(want, test.wantBefore...)
			want = append(want, ordinary[2:]...)
			want = append(want, test.wantBehind...)
			if diff := cmp.Diff(want, lines(plan)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if plan.Upgrade != nil {
				t.Error("want one plan for installations and upgrades")
			}
		})
	}
}

func TestAHookIsInThePlanOfItsEvent(t *testing.T) {
	t.Parallel()
	given := object("v1", "ConfigMap", "n/c") +
		hook("batch/v1", "Job", "n/install", `{"install":"Before"}`) +
		hook("batch/v1", "Job", "n/upgrade", `{"upgrade":"After"}`) +
		hook("v1", "Secret", "n/same", `{"install":"Before"}`) +
		strings.Replace(hook("v1", "Secret", "n/same", `{"upgrade":"Before"}`), "\n\n", "\ndata: {a: eA==}\n", 1)
	plan, err := New([]Input{phase(t, "a", given)}, manifest.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	wantInstall := []string{
		"a pre-hooks", "  v1/namespaces/n/secrets/same", "a pre-hooks, gate Hooks", "  batch/v1/namespaces/n/jobs/install",
		"a config", "  v1/namespaces/n/configmaps/c",
	}
	if diff := cmp.Diff(wantInstall, lines(plan.For(false))); diff != "" {
		t.Errorf("installation (-want +got):\n%s", diff)
	}
	wantUpgrade := []string{
		"a pre-hooks", "  v1/namespaces/n/secrets/same", "a config", "  v1/namespaces/n/configmaps/c",
		"a post-hooks, gate Hooks", "  batch/v1/namespaces/n/jobs/upgrade",
	}
	if diff := cmp.Diff(wantUpgrade, lines(plan.For(true))); diff != "" {
		t.Errorf("upgrade (-want +got):\n%s", diff)
	}
	if got := len(plan.Variants()); got != 2 {
		t.Errorf("want two plans, got %d", got)
	}
}

func TestTheImagesOfAHookForUpgradesCount(t *testing.T) {
	t.Parallel()
	job := hook("batch/v1", "Job", "n/upgrade", `{"upgrade":"Before"}`) + "spec: {template: {spec: {containers: [{image: a}]}}}\n"
	plan, err := New([]Input{phase(t, "a", job)}, manifest.DefaultLimits())
	if err != nil || plan.Objects() != 0 {
		t.Fatalf("want nothing to install, got %v", err)
	}
	if diff := cmp.Diff([]string{"a"}, plan.Images()); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}

func TestWhatIsWrongInBothPlansIsToldOnce(t *testing.T) {
	t.Parallel()
	given := object("v1", "Secret", "n/s") + object("v1", "Secret", "n/s", "data: {a: eA==}") +
		hook("batch/v1", "Job", "n/install", `{"install":"Before"}`)
	_, err := New([]Input{phase(t, "a", given)}, manifest.DefaultLimits())
	if err == nil || strings.Count(err.Error(), "is duplicated") != 1 {
		t.Errorf("want one problem, got %v", err)
	}
}

func TestAHookOfAnotherRenderingIsAnother(t *testing.T) {
	t.Parallel()
	plain := Object{Entry: manifest.Entry{SHA256: "same"}, Blob: "one"}
	hooked := Object{Entry: manifest.Entry{SHA256: "same", Hook: &manifest.Hook{}}, Blob: "one"}
	other := hooked
	other.Blob = "two"
	if plain.Sum() != "same" || hooked.Sum() == other.Sum() || len(hooked.Sum()) != 64 {
		t.Errorf("got %s, %s, %s", plain.Sum(), hooked.Sum(), other.Sum())
	}
}
