package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// giving returns a phase whose first source gives way.
func giving(input Input) Input {
	input.Blobs[0].GivesWay = true
	return input
}

func TestANamespaceGivesWayToThatOfAnotherSource(t *testing.T) {
	t.Parallel()
	bare := object("v1", "Namespace", "space")
	labelled := "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: space, labels: {mine: yes-it-is}}\n"
	workload := object("apps/v1", "Deployment", "space/agent")
	tests := map[string]struct {
		given []Input
		want  []string
		// wantLeft is whether it gives way to what is in the cluster, too.
		wantLeft bool
	}{
		"that brings none": {
			given: []Input{giving(phase(t, "a", bare, workload))},
			want: []string{
				"a namespaces", "  v1/namespaces/space", "a workloads, gate Workloads", "  apps/v1/namespaces/space/deployments/agent",
			},
			wantLeft: true,
		},
		"of the same phase": {
			given: []Input{giving(phase(t, "a", bare, labelled))}, want: []string{"a namespaces", "  v1/namespaces/space"},
		},
		"of an earlier phase": {
			given: []Input{phase(t, "a", labelled), giving(phase(t, "b", bare))}, want: []string{"a namespaces", "  v1/namespaces/space"},
		},
		"of a later phase, which comes in its place": {
			given: []Input{giving(phase(t, "a", bare)), phase(t, "b", labelled)}, want: []string{"a namespaces", "  v1/namespaces/space"},
		},
		"that gives way, too": {
			given: []Input{giving(phase(t, "a", bare)), giving(phase(t, "b", bare))}, want: []string{"a namespaces", "  v1/namespaces/space"},
			wantLeft: true,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, err := New(tc.given, manifest.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, lines(plan)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := plan.Phases[0].Steps[0].Objects[0].GivesWay; got != tc.wantLeft {
				t.Errorf("want it to give way to that of the cluster: %t, got %t", tc.wantLeft, got)
			}
		})
	}
}
