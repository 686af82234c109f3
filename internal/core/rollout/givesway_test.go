package rollout

import (
	"slices"
	"strings"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// withNamespace is a release with a ConfigMap in a Namespace that gives way.
func withNamespace(t *testing.T) Release {
	t.Helper()
	release := releaseOf(t, "one", written{name: "all", documents: []string{
		object("v1", "Namespace", "", "operator"), object("v1", "ConfigMap", "operator", "settings"),
	}})
	for o := range release.Plan.All {
		o.GivesWay = o.GroupKind() == manifest.Ref{Kind: "Namespace"}.GroupKind()
	}
	return release
}

func TestANamespaceThatIsThereStaysAsItIs(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*memory){
		"made by nobody we know": func(m *memory) { m.putSpace() },
		"of a Helm release":      func(m *memory) { m.putHelms(spacePath, "v1", "Namespace", "operator") },
	}
	for name, given := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			given(cluster)
			before := cluster.bodies()[spacePath]
			r := rolloutOf(cluster, withNamespace(t))
			converge(t, r)
			if got := cluster.bodies()[spacePath]; got != before {
				t.Errorf("want it untouched, got %s", got)
			}
			if applied := cluster.take("apply"); slices.Contains(applied, spacePath) || !slices.Contains(applied, settingsPath) {
				t.Errorf("want only the other object applied, got %q", applied)
			}
			// After a restart and with another label it is as right as before.
			again := rolloutOf(cluster, withNamespace(t))
			converge(t, again)
			if applied := cluster.take("apply"); slices.Contains(applied, spacePath) {
				t.Errorf("want nothing of it sent, got %q", applied)
			}
		})
	}
}

func TestANamespaceThatIsMissingIsMadeAMember(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	converge(t, rolloutOf(cluster, withNamespace(t)))
	if got := cluster.bodies()[spacePath]; !strings.Contains(got, "applyset.kubernetes.io/part-of") {
		t.Errorf("want it made as a member, got %s", got)
	}
}
