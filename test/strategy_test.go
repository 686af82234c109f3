package test

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sync/semaphore"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

// single is the manifest of a workload with a strategy, if that is not empty.
func single(kind, namespace, strategy, image string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: %s
metadata: {name: single, namespace: %s}
spec:
  selector: {matchLabels: {app: single}}
  template:
    metadata: {labels: {app: single}}
    spec: {containers: [{name: main, image: %q}]}
%s`, kind, namespace, image, strategy)
}

func TestAWorkloadChangesToAStrategyWithoutARollingUpdate(t *testing.T) {
	t.Parallel()
	const rolling = "  strategy: {rollingUpdate: {maxSurge: 3}}\n"
	tests := map[string]struct {
		kind, field    string
		given, becomes string
		by             string // another field manager that made or changed it
		makes          bool
	}{
		"a Deployment of ours":                  {kind: "Deployment", field: "strategy", becomes: "  strategy: {type: Recreate}\n"},
		"with parameters that are null":         {kind: "Deployment", field: "strategy", becomes: "  strategy: {type: Recreate, rollingUpdate: null}\n"},
		"that had parameters of ours":           {kind: "Deployment", field: "strategy", given: rolling, becomes: "  strategy: {type: Recreate}\n"},
		"one that kubectl made":                 {kind: "Deployment", field: "strategy", by: "kubectl-create", makes: true, becomes: "  strategy: {type: Recreate}\n"},
		"one that kubectl applied":              {kind: "Deployment", field: "strategy", by: "kubectl-client-side-apply", makes: true, becomes: "  strategy: {type: Recreate}\n"},
		"one that another tool made":            {kind: "Deployment", field: "strategy", by: "tool", makes: true, becomes: "  strategy: {type: Recreate}\n"},
		"one whose parameters somebody changed": {kind: "Deployment", field: "strategy", by: "somebody", becomes: "  strategy: {type: Recreate}\n"},
		"a StatefulSet of ours":                 {kind: "StatefulSet", field: "updateStrategy", becomes: "  updateStrategy: {type: OnDelete}\n"},
		"a StatefulSet that kubectl made":       {kind: "StatefulSet", field: "updateStrategy", by: "kubectl-create", makes: true, becomes: "  updateStrategy: {type: OnDelete}\n"},
		"a DaemonSet of ours":                   {kind: "DaemonSet", field: "updateStrategy", becomes: "  updateStrategy: {type: OnDelete}\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			w := testenv.SharedWorkload(t)
			ns := testenv.NewNamespace(t, w.APIServer)
			connected, err := workload.NewClient(w.Config)
			g.Expect(err).NotTo(HaveOccurred())
			r := rollout.Rollout{
				Cluster: connected, Parent: inventory.ParentOf(ns, "cni"), Budget: semaphore.NewWeighted(1 << 20),
				Memory: &rollout.Memory{}, Now: time.Now,
			}
			live := &unstructured.Unstructured{}
			g.Expect(yaml.Unmarshal([]byte(single(test.kind, ns, test.given, "single:1")), &live.Object)).To(Succeed())
			if test.makes {
				g.Expect(w.Client.Create(t.Context(), live, client.FieldOwner(test.by))).To(Succeed())
			} else {
				r.Release = planned(g, "one", single(test.kind, ns, test.given, "single:1"))
				r.Run(t.Context())
				g.Expect(w.Client.Get(t.Context(), client.ObjectKeyFromObject(live), live)).To(Succeed())
			}
			if test.by == "somebody" {
				g.Expect(unstructured.SetNestedField(live.Object, int64(2), "spec", "strategy", "rollingUpdate", "maxSurge")).To(Succeed())
				g.Expect(w.Client.Update(t.Context(), live, client.FieldOwner(test.by))).To(Succeed())
			}
			uid := live.GetUID()

			r.Release = planned(g, "two", single(test.kind, ns, test.becomes, "single:2"))
			o := r.Run(t.Context())
			g.Expect(o.Phases[0].AllApplied).To(BeTrue(), "%v", o.Err)
			g.Expect(w.Client.Get(t.Context(), client.ObjectKeyFromObject(live), live)).To(Succeed())
			g.Expect(live.GetUID()).To(Equal(uid))
			strategy, _, err := unstructured.NestedMap(live.Object, "spec", test.field)
			g.Expect(err).NotTo(HaveOccurred())
			if test.kind != "DaemonSet" {
				g.Expect(strategy).NotTo(HaveKey("rollingUpdate"))
			}
			g.Expect(strategy["type"]).To(BeElementOf("Recreate", "OnDelete"))

			// And back: the API server sets what it sets by default.
			r.Release = planned(g, "three", single(test.kind, ns, "", "single:3"))
			o = r.Run(t.Context())
			g.Expect(o.Phases[0].AllApplied).To(BeTrue(), "%v", o.Err)
			g.Expect(w.Client.Get(t.Context(), client.ObjectKeyFromObject(live), live)).To(Succeed())
			strategy, _, err = unstructured.NestedMap(live.Object, "spec", test.field)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(strategy).To(HaveKeyWithValue("type", "RollingUpdate"))
		})
	}
}
