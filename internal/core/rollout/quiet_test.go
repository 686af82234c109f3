package rollout

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
)

const agentPath = "apps/v1/operator/daemonsets/agent"

// putShared has another set own an object that ours shares.
func (m *memory) putShared(r Rollout, at, apiVersion, kind, name string) {
	var sha string
	for object := range r.Release.Plan.All {
		if object.Kind == kind && object.Name == name {
			sha = object.SHA256
		}
	}
	before := m.objects[at]
	defer func() { m.objects[at].manager, m.objects[at].fields = before.manager, before.fields }()
	m.put(at, map[string]any{
		"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{
			"name": name, "labels": map[string]any{inventory.PartOfLabel: inventory.ParentOf("default", "other").ID()},
			"annotations": map[string]any{inventory.SHA256Annotation: sha, r.Parent.SharedAnnotation(): sha},
		},
	})
}

func TestWorkloadsAreNotReadAgainWhileTheirWatchesAreQuiet(t *testing.T) {
	t.Parallel()
	deployments, daemonSets := membersOf("apps", "deployments", true), membersOf("apps", "daemonsets", true)
	tests := map[string]struct {
		given      func(*memory, Rollout)
		givenQuiet []Target
		want       []string
	}{
		"no watch is sure":                {want: []string{operatorPath, agentPath}},
		"a watch of one kind saw nothing": {givenQuiet: []Target{daemonSets}, want: []string{operatorPath}},
		"no watch saw anything":           {givenQuiet: []Target{deployments, daemonSets}},
		"a workload was applied again meanwhile": {
			given:      func(m *memory, _ Rollout) { delete(m.objects, agentPath) },
			givenQuiet: []Target{deployments, daemonSets}, want: []string{agentPath},
		},
		"the watch does not report what another set owns": {
			given: func(m *memory, r Rollout) {
				m.putShared(r, operatorPath, "apps/v1", "Deployment", "operator")
				r.Memory.ready = nil // as after a restart
			},
			givenQuiet: []Target{deployments, daemonSets}, want: []string{operatorPath},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			r := remembering(cluster, releaseOf(t, "one", addOn()[0], addOn()[1],
				written{name: "agent", documents: []string{object("apps/v1", "DaemonSet", "operator", "agent")}}))
			r.Living = inventory.LivingOf(
				types.NamespacedName{Namespace: "default", Name: "cni"}, types.NamespacedName{Namespace: "default", Name: "other"})
			for pass := range 5 {
				r.at(time.Duration(pass) * time.Second).Run(t.Context())
				if agent := cluster.objects[agentPath]; agent != nil {
					agent.status = map[string]any{"observedGeneration": int64(1), "desiredNumberScheduled": int64(0)}
				}
			}
			if test.given != nil {
				test.given(cluster, r)
			}
			r.IsQuiet = func(target Target) bool { return slices.Contains(test.givenQuiet, target) }
			r.at(2 * time.Minute).Run(t.Context())
			cluster.take("object")
			r.at(2 * time.Minute).Run(t.Context())
			got := slices.DeleteFunc(cluster.take("object"), func(at string) bool { return at == parentPath })
			if diff := cmp.Diff(test.want, got); diff != "" && len(test.want)+len(got) > 0 {
				t.Errorf("read (-want +got):\n%s", diff)
			}
		})
	}
}
