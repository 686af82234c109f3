package test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sync/semaphore"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

// planned is a release of one phase with the objects.
func planned(g *WithT, digest, objects string) rollout.Release {
	var content bytes.Buffer
	limits := manifest.DefaultLimits()
	index, err := manifest.Build(&content, manifest.Objects(strings.NewReader(objects), "all", limits))
	g.Expect(err).NotTo(HaveOccurred())
	made, err := plan.New([]plan.Input{{Name: "all", Blobs: []plan.Blob{{Digest: "all", Entries: index.Entries}}}}, limits)
	g.Expect(err).NotTo(HaveOccurred())
	return rollout.Release{
		Bundle: "default/shared", Version: "1.0.0", Digest: digest, Plan: made,
		Phases: []rollout.Phase{{Timeout: time.Hour}},
		JSON:   func(o plan.Object) ([]byte, error) { return content.Bytes()[o.Offset : o.Offset+o.Length], nil },
	}
}

// neighbours are two sets on one workload cluster, at a time that the test sets.
type neighbours struct {
	proxy *testenv.Proxy
	sets  []rollout.Rollout
	now   time.Time
}

func newNeighbours(t *testing.T, g *WithT, adoption v1alpha1.Adoption) *neighbours {
	t.Helper()
	n := &neighbours{proxy: testenv.NewProxy(t, testenv.SharedWorkload(t).APIServer), now: time.Now()}
	client, err := workload.NewClient(n.proxy.Config)
	g.Expect(err).NotTo(HaveOccurred())
	namespace := testenv.NewNamespace(t, testenv.SharedWorkload(t).APIServer)
	living := inventory.LivingOf(types.NamespacedName{Namespace: namespace, Name: "one"}, types.NamespacedName{Namespace: namespace, Name: "two"})
	for _, name := range []string{"one", "two"} {
		n.sets = append(n.sets, rollout.Rollout{
			Cluster: client, Parent: inventory.ParentOf(namespace, name), Living: living, Adoption: adoption,
			Budget: semaphore.NewWeighted(1 << 20), Memory: &rollout.Memory{}, Now: func() time.Time { return n.now },
		})
	}
	return n
}

// settle makes verification rounds of both sets, and returns the writes of the last ten.
func (n *neighbours) settle(t *testing.T) (writes []string, errs [2]error) {
	t.Helper()
	for round := range 12 {
		if round == 2 {
			n.proxy.Reset()
		}
		n.now = n.now.Add(6 * time.Minute)
		for i, set := range n.sets {
			for range 3 {
				errs[i] = set.Run(t.Context()).Err
			}
		}
	}
	for _, w := range n.proxy.Writes() {
		writes = append(writes, w.Verb+" "+w.Resource+" "+w.Name)
	}
	return writes, errs
}

func TestSetsThatShareWriteNothingOnceTheyAreDone(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given v1alpha1.Adoption
		want  string // of the set that did not upgrade
	}{
		"by default":       {v1alpha1.IfUnownedAdoption, "take it over with adoption: Always"},
		"that both insist": {v1alpha1.AlwaysAdoption, "it was taken over and taken back"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			n := newNeighbours(t, g, test.given)
			ns := testenv.NewNamespace(t, testenv.SharedWorkload(t).APIServer) + "-shared"
			objects := func(level, value string) string {
				return documents("apiVersion: v1\nkind: Namespace\nmetadata: {name: "+ns+", labels: {level: "+level+"}}\n",
					configMap(ns, "shared", value))
			}
			n.sets[0].Release = planned(g, "a", objects("privileged", "equal"))
			n.sets[1].Release = planned(g, "b", objects("baseline", "equal"))
			writes, errs := n.settle(t)
			g.Expect(writes).To(BeEmpty())
			g.Expect(errs).To(HaveEach(BeNil()))

			// One upgrades, and then the other one follows.
			n.sets[0].Release = planned(g, "c", objects("restricted", "other"))
			writes, errs = n.settle(t)
			g.Expect(writes).To(BeEmpty())
			g.Expect(errors.Join(errs[:]...)).To(MatchError(ContainSubstring(test.want)))
			n.sets[1].Release = planned(g, "d", objects("baseline", "other"))
			writes, errs = n.settle(t)
			g.Expect(writes).To(BeEmpty())
			g.Expect(errs).To(HaveEach(BeNil()))
		})
	}
}
