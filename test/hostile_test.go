package test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

const (
	// hostileVariable names the file that "make test-hostile" wants the times written to.
	hostileVariable = "HOSTILE_FILE"

	// The Clusters that are installed: each server is that of perServer of them.
	hostileServers, hostilePerServer = 4, 5

	// hostileRounds is how often they are installed without and with hostile Bundles.
	hostileRounds = 2

	// hostilePeriod is how often every hostile Bundle is given something new.
	hostilePeriod = 5 * time.Second
)

// installation is how long the Clusters took.
type installation struct {
	who  string
	took time.Duration
	// peak is the largest resident set that the manager has had by then.
	peak int64
}

// TestHostileBundlesDisturbNobodyElse installs twenty Clusters of one namespace while
// another namespace has eight hostile Bundles, and while it has none.
func TestHostileBundlesDisturbNobodyElse(t *testing.T) {
	t.Parallel()
	file := os.Getenv(hostileVariable)
	if file == "" {
		t.Skip("make test-hostile runs it: other tests would count")
	}
	management := testenv.NewManagement(t, testenv.ManagementOptions{})
	manager, err := testenv.StartManager(t.Context(), testenv.ManagerOptions{
		Management: management, CacheDir: t.TempDir(), Env: []string{"GOMEMLIMIT=900MiB"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(manager.Kill)
	workloads := make([]*testenv.Workload, hostileServers)
	for i := range workloads {
		workloads[i] = testenv.NewWorkload(t, testenv.WorkloadOptions{})
	}
	install := func(who string) installation {
		s := scenarioWith(t, management, manager)
		took := s.installTwenty(workloads)
		return installation{who: who, took: took, peak: s.peakMemory()}
	}
	install("nobody, and all is new") // connections, discovery and schemas are not what is compared
	tenant := scenarioWith(t, management, manager)
	var all []installation
	for i := range hostileRounds {
		all = append(all, install("nobody"))
		stop := tenant.attack(1000 * i)
		all = append(all, install("eight hostile Bundles"))
		tenant.Expect(stop()).To(BeNumerically(">", 0), "the hostile Bundles were there")
	}
	// Each round has more Clusters than the one before: what comes before and behind is
	// what one beside hostile Bundles is compared with.
	all = append(all, install("nobody"))
	NewWithT(t).Expect(manager.Ended()).To(Succeed())
	writeInstallations(t, file, all)
}

// installTwenty installs the Clusters and returns how long that took.
func (s *scenario) installTwenty(workloads []*testenv.Workload) time.Duration {
	s.t.Helper()
	var names []string
	for i := range hostilePerServer {
		name := fmt.Sprintf("own-%d", i)
		var objects []string
		for n := range 400 {
			objects = append(objects, configMap("default", fmt.Sprintf("%s-%s-%d", s.namespace, name, n), noise(2000)))
		}
		chart := s.web.publish(name+".tgz", s.smallChart(name))
		s.bundle(name, release("1.0.0",
			phase("objects", s.web.publish(name+".yaml", documents(objects...))),
			phase("chart", s.helmSource(chart.HTTPS.URL, func(src *v1alpha1.HelmSource) { src.Digest = chart.HTTPS.Digest })),
		))
		s.set(name)
		names = append(names, name)
	}
	begin := time.Now()
	var clusters []string
	for i, workload := range workloads {
		for _, name := range names {
			cluster := fmt.Sprintf("%s-%d", name, i)
			s.cluster(cluster, name, workload)
			clusters = append(clusters, name+"-"+cluster)
		}
	}
	for _, clusterBundle := range clusters {
		s.Eventually(s.ready(clusterBundle)).Should(Equal(isReady))
	}
	return time.Since(begin)
}

// attack makes the hostile Bundles and gives them something new all the time, so that
// nothing of them is known: the numbers after from. What it returns ends that and says
// how often it was done.
func (s *scenario) attack(from int) (stop func() int) {
	s.t.Helper()
	bundles := map[string]*v1alpha1.Bundle{}
	for name, attack := range attacks() {
		bundles[name] = s.bundle(name, release("1.0.0", attack(s, from)...))
	}
	rounds, done, ended := 0, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		wait.Until(func() {
			rounds++
			for name, attack := range attacks() {
				s.change(bundles[name], func() { bundles[name].Spec.Releases[0].Phases = attack(s, from+rounds) })
			}
		}, hostilePeriod, done)
	}()
	return func() int {
		close(done)
		<-ended
		for _, bundle := range bundles {
			s.Expect(s.management.Client.Delete(s.t.Context(), bundle)).To(Succeed())
		}
		return rounds
	}
}

// attacks return the phases of the hostile Bundles, each another one for each n.
func attacks() map[string]func(s *scenario, n int) []v1alpha1.Phase {
	chart := func(template string) func(*scenario, int) []v1alpha1.Phase {
		return func(s *scenario, n int) []v1alpha1.Phase {
			file := map[string]string{"agent/templates/bad.yaml": fmt.Sprintf("# %d\n", n) + template}
			published := s.web.publish(fmt.Sprintf("agent-%d-%d.tgz", len(template), n), s.helmChart(file))
			return onePhase(s.helmSource(published.HTTPS.URL, func(src *v1alpha1.HelmSource) { src.Digest = published.HTTPS.Digest }))
		}
	}
	file := func(name, content string) func(*scenario, int) []v1alpha1.Phase {
		return func(s *scenario, n int) []v1alpha1.Phase {
			return onePhase(s.web.publish(fmt.Sprintf("%d-%s", n, name), content+fmt.Sprintf("\n# %d\n", n)))
		}
	}
	const config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\n"
	return map[string]func(*scenario, int) []v1alpha1.Phase{
		"endless-chart":   chart("{{ range 9223372036854775807 }}{{ end }}"),
		"large-chart":     chart(`{{ $a := "x" }}{{ range until 40 }}{{ $a = printf "%s%s" $a $a }}{{ end }}`),
		"recursive-chart": chart(`{{ $a := dict }}{{ $_ := set $a "a" $a }}{{ toToml $a }}`),
		"many-nodes":      file("nodes.yaml", config+"data: ["+strings.Repeat("{a},", 1<<20)+"]"),
		"aliases":         file("aliases.yaml", laughs()),
		"one-source":      oneSourceOften,
		"slow-servers":    slowServers,
		"bomb": func(s *scenario, n int) []v1alpha1.Phase {
			files := map[string]string{"a.yaml": strings.Repeat("#", 8<<20) + fmt.Sprint(n)}
			return onePhase(s.web.publish(fmt.Sprintf("bomb-%d.tgz", n), s.tarball(files)))
		},
	}
}

// onePhase is all sources in one phase.
func onePhase(sources ...v1alpha1.Source) []v1alpha1.Phase {
	return []v1alpha1.Phase{phase("all", sources...)}
}

// oneSourceOften are phases that name one file as often as they may.
func oneSourceOften(s *scenario, n int) []v1alpha1.Phase {
	const each, most = 32, 256
	var objects []string
	for i := range 1000 {
		objects = append(objects, configMap("default", fmt.Sprintf("%d-%d", n, i), "x"))
	}
	source := s.web.publish(fmt.Sprintf("often-%d.yaml", n), documents(objects...))
	phases := make([]v1alpha1.Phase, most/each)
	for i := range phases {
		phases[i] = phase(fmt.Sprintf("phase-%d", i), slices.Repeat([]v1alpha1.Source{source}, each)...)
	}
	return phases
}

// slowServers are sources at servers that send a byte now and then.
func slowServers(s *scenario, n int) []v1alpha1.Phase {
	sources := make([]v1alpha1.Source, 16)
	for i := range sources {
		path := fmt.Sprintf("slow-%d-%d.yaml", n, i)
		s.web.drip(s.t.Context(), "/"+path)
		sources[i] = s.web.source(path, path)
	}
	return onePhase(sources...)
}

// writeInstallations writes how long the Clusters took, in the order of the rounds, and
// how many times longer than the mean of before and behind those beside hostile Bundles.
func writeInstallations(t *testing.T, file string, all []installation) {
	t.Helper()
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "twenty Clusters beside\ts\ttimes as long\tpeak of the manager, MiB\t")
	for i, one := range all {
		ratio := ""
		if i%2 == 1 {
			alone := (all[i-1].took + all[i+1].took).Seconds() / 2
			ratio = fmt.Sprintf("%.2f", one.took.Seconds()/alone)
		}
		_, _ = fmt.Fprintf(table, "%s\t%.1f\t%s\t%d\t\n", one.who, one.took.Seconds(), ratio, one.peak>>20)
	}
	_ = table.Flush() // it writes to a string
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}
