package test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// costVariable names the file that "make cost" wants the costs written to.
const costVariable = "COST_FILE"

// cost is what one step took of a workload cluster's API server.
type cost struct {
	by, step       string
	requests       []testenv.Request
	sent, received int64
	took           time.Duration
}

// count returns how many of the requests are of one of the verbs.
func (c cost) count(verbs ...string) int {
	n := 0
	for _, r := range c.requests {
		if r.Resource != "" && slices.Contains(verbs, r.Verb) {
			n++
		}
	}
	return n
}

// writes returns how many of the requests change objects.
func (c cost) writes() int {
	return len(slices.DeleteFunc(slices.Clone(c.requests), func(r testenv.Request) bool { return !r.IsWrite() }))
}

// costs measures steps behind a proxy.
type costs struct {
	*scenario

	by   string
	seen *testenv.Proxy
	// settles waits until nothing more follows a step.
	settles func()
	all     []cost
}

// measure takes the cost of a step.
func (c *costs) measure(step string, do func()) cost {
	c.t.Helper()
	c.seen.Reset()
	begin := time.Now()
	do()
	took := time.Since(begin)
	c.settles()
	taken := cost{by: c.by, step: step, requests: c.seen.Requests(), took: took}
	taken.sent, taken.received = c.seen.Wire()
	c.all = append(c.all, taken)
	return taken
}

// tableOf returns the costs for people: those of the same step side by side.
func tableOf(all []cost) string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	verbs := []string{"get", "list", "watch", "create", "update", "patch", "delete"}
	_, _ = fmt.Fprintf(table, "step\tby\trequests\t%s\tothers\tB sent\tB received\ts\t\n", strings.Join(verbs, "\t"))
	steps := make([]string, 0, len(all))
	for _, c := range all {
		steps = append(steps, c.step)
	}
	slices.SortStableFunc(all, func(a, b cost) int { return slices.Index(steps, a.step) - slices.Index(steps, b.step) })
	for _, c := range all {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t", c.step, c.by, len(c.requests))
		for _, verb := range verbs {
			_, _ = fmt.Fprintf(table, "%d\t", c.count(verb))
		}
		others := len(c.requests) - c.count(verbs...) // discovery, schemas, probes
		_, _ = fmt.Fprintf(table, "%d\t%d\t%d\t%.1f\t\n", others, c.sent, c.received, c.took.Seconds())
	}
	_ = table.Flush() // it writes to a string
	return text.String()
}

// changeRole removes the rules of the operator's ClusterRole, behind the back of all.
func (s *scenario) changeRole(w *testenv.Workload) *rbacv1.ClusterRole {
	s.t.Helper()
	role := &rbacv1.ClusterRole{}
	s.Expect(w.Client.Get(s.t.Context(), client.ObjectKey{Name: "tigera-operator"}, role)).To(Succeed())
	before := role.DeepCopy()
	role.Rules = role.Rules[:1]
	s.Expect(w.Client.Patch(s.t.Context(), role, client.MergeFrom(before))).To(Succeed())
	return before
}

// isRepaired returns a function that reports whether the ClusterRole is as before.
func (s *scenario) isRepaired(w *testenv.Workload, before *rbacv1.ClusterRole) func() (int, error) {
	return func() (int, error) {
		role := &rbacv1.ClusterRole{}
		err := w.Client.Get(s.t.Context(), client.ObjectKeyFromObject(before), role)
		return len(before.Rules) - len(role.Rules), err
	}
}

// byManager measures what the manager takes.
func (s *scenario) byManager(options testenv.ManagerOptions) []cost {
	s.t.Helper()
	workload := testenv.NewWorkload(s.t, testenv.WorkloadOptions{Nodes: 1})
	c := &costs{scenario: s, by: "caapb", seen: testenv.NewProxy(s.t, workload.APIServer)}
	c.settles = c.areQuiet
	bundle := s.anyCalico()
	s.create(bundle)
	set := s.set("calico", uninstalls, atVersion("3.31.7"), func(spec *v1alpha1.ClusterBundleSetSpec) { spec.CRDs = v1alpha1.DeleteCRDPolicy })
	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(Equal(isReady))
	cluster := s.cluster("lyon", "nobody", c.seen)

	c.measure("install 3.31.7", func() {
		s.change(cluster, func() { cluster.Labels = optIn("calico") })
		s.Eventually(s.ready(calicoCluster)).Should(Equal(waitsForTigeraStatus))
		s.tigeraStatusAvailable(workload)
		s.Eventually(s.undelivered("3.31.7", 1)).Should(BeEmpty())
	})
	c.measure("upgrade to 3.32.1", func() {
		s.change(set, func() { set.Spec.Bundle.Version = "3.32.1" })
		s.Eventually(s.undelivered("3.32.1", 1)).Should(BeEmpty())
	})
	nothing := c.measure("nothing to do", func() {
		s.manager.Stop()
		c.seen.Reset()
		var err error
		s.manager, err = testenv.StartManager(s.t.Context(), options)
		s.Expect(err).NotTo(HaveOccurred())
		s.Eventually(func() int { return c.seen.Count("watch", "deployments") }).Should(BeNumerically(">", 0))
	})
	s.Expect(nothing.writes()).To(BeZero())
	repair := c.measure("repair", func() {
		s.Eventually(s.isRepaired(workload, s.changeRole(workload))).Should(BeZero())
	})
	s.Expect(repair.count("patch")).To(Equal(1))
	c.measure("removal", func() {
		s.change(cluster, func() { cluster.Labels = nil })
		s.Eventually(s.isGone(calicoCluster)).Should(BeTrue())
	})
	s.Expect(s.crds(workload)).To(BeEmpty())
	return c.all
}

// areQuiet waits until no request about objects has come for two seconds.
func (c *costs) areQuiet() {
	c.t.Helper()
	last := -1
	c.Eventually(func() bool {
		before := last
		last = len(slices.DeleteFunc(c.seen.Requests(), func(r testenv.Request) bool { return r.Resource == "" }))
		return last == before
	}).WithPolling(2 * time.Second).Should(BeTrue())
}

// byKubectl measures what a person with kubectl takes, who waits for no more than the
// definitions.
func (s *scenario) byKubectl() []cost {
	s.t.Helper()
	workload := testenv.NewWorkload(s.t, testenv.WorkloadOptions{Nodes: 1})
	c := &costs{scenario: s, by: "kubectl", seen: testenv.NewProxy(s.t, workload.APIServer), settles: func() {}}
	kubeconfig := filepath.Join(s.t.TempDir(), "kubeconfig")
	s.Expect(os.WriteFile(kubeconfig, c.seen.Kubeconfig(), 0o600)).To(Succeed())
	kubectl := func(args ...string) {
		s.t.Helper()
		_, err := workload.Kubectl(s.t.Context(), "", append(args, "--kubeconfig="+kubeconfig)...)
		s.Expect(err).NotTo(HaveOccurred())
	}
	before, after := s.filesOf("3.31.7"), s.filesOf("3.32.1")
	apply := func(files []string) func() {
		return func() {
			s.t.Helper()
			kubectl("apply", "--server-side", "--force-conflicts", "-f", files[0])
			kubectl("wait", "--for=condition=Established", "--timeout=1m", "-f", files[0])
			kubectl("apply", "--server-side", "--force-conflicts", "-f", files[1])
			kubectl("apply", "--server-side", "--force-conflicts", "-f", files[2])
		}
	}
	c.measure("install 3.31.7", apply(before))
	c.measure("upgrade to 3.32.1", apply(after))
	c.measure("nothing to do", apply(after))
	role := s.changeRole(workload)
	c.measure("repair", apply(after))
	s.Expect(s.isRepaired(workload, role)()).To(BeZero())
	c.measure("removal", func() {
		for _, file := range slices.Backward(after) {
			kubectl("delete", "-f", file)
		}
	})
	s.Expect(s.crds(workload)).To(HaveLen(2), "it does not know of those that left")
	return c.all
}

// filesOf returns the paths of the files of a release of Calico, phase by phase.
func (s *scenario) filesOf(version string) []string {
	s.t.Helper()
	bundle, err := testenv.Catalogue("calico")
	s.Expect(err).NotTo(HaveOccurred())
	var files []string
	for _, phase := range bundle.Spec.Releases[slices.IndexFunc(bundle.Spec.Releases, isVersion(version))].Phases {
		file, err := testenv.CatalogueFile(s.t.Context(), phase.Sources[0].HTTPS.URL, string(phase.Sources[0].HTTPS.Digest))
		s.skipWithout(err)
		files = append(files, file)
	}
	return files
}

// TestWhatALifeOfCalicoCostsBesideKubectl writes what each step takes of the API server.
func TestWhatALifeOfCalicoCostsBesideKubectl(t *testing.T) {
	file := os.Getenv(costVariable)
	if file == "" {
		t.Skip("it measures, for make cost")
	}
	management := testenv.NewManagement(t, testenv.ManagementOptions{Controllers: true})
	options := testenv.ManagerOptions{Management: management, CacheDir: t.TempDir()}
	manager, err := testenv.StartManager(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	s := scenarioWith(t, management, manager)
	t.Cleanup(func() { s.manager.Kill() })
	table := tableOf(slices.Concat(s.byManager(options), s.byKubectl()))
	s.Expect(os.WriteFile(file, []byte(table), 0o600)).To(Succeed())
}
