package test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// The large bundle: 4 sources of 100 ConfigMaps of half a megabyte.
const (
	largeSources = 4
	largeObjects = 100
	largeLine    = 100
	largeLines   = 5000
	largeBytes   = largeSources * largeObjects * largeLines * largeLine
)

// largeMemory bounds the resident set of the manager, its program included: one
// and a half times what was measured.
const largeMemory = 160 << 20

// TestMemoryDoesNotDependOnTheSizeOfTheBundle brings 200 MB through a manager: it
// fetches all sources side by side, indexes them and applies every object.
func TestMemoryDoesNotDependOnTheSizeOfTheBundle(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("200 MB take a while")
	}
	management := testenv.NewManagement(t, testenv.ManagementOptions{})
	manager, err := testenv.StartManager(t.Context(), testenv.ManagerOptions{Management: management, CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(manager.Kill)
	s := scenarioWith(t, management, manager)
	idle, err := manager.PeakMemory()
	s.Expect(err).NotTo(HaveOccurred())
	workload := testenv.NewWorkload(t, testenv.WorkloadOptions{})

	begin := time.Now()
	bundle := s.bundle("large", release("1.0.0", phase("all", s.largeSources()...)))
	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(Equal(isReady))
	s.Expect(bundle.Status.Releases).To(HaveLen(1))
	s.Expect(bundle.Status.Releases[0].Bytes).To(BeNumerically(">", largeBytes))
	indexed, fetching := time.Since(begin), s.peakMemory()

	s.set("large")
	s.cluster("huge", "large", workload)
	s.Eventually(s.ready("large-huge")).Should(Equal(isReady))
	applied, peak := time.Since(begin), s.peakMemory()
	cb, err := s.clusterBundle("large-huge")
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(phasesOf(cb)).To(Equal([]string{fmt.Sprintf("all Ready %[1]d/%[1]d", largeSources*largeObjects)}))
	t.Logf("a bundle of %d MB: peak memory %d MiB idle, %d MiB when indexed after %.1f s, %d MiB when applied after %.1f s",
		largeBytes/1_000_000, idle>>20, fetching>>20, indexed.Seconds(), peak>>20, applied.Seconds())
	s.Expect(peak).To(BeNumerically("<", largeMemory))
}

// peakMemory returns the largest resident set of the manager so far.
func (s *scenario) peakMemory() int64 {
	s.t.Helper()
	peak, err := s.manager.PeakMemory()
	s.Expect(err).NotTo(HaveOccurred())
	return peak
}

// largeSources serves the large bundle, which is never in memory as a whole.
func (s *scenario) largeSources() []v1alpha1.Source {
	s.t.Helper()
	sources := make([]v1alpha1.Source, largeSources)
	value := strings.Repeat("    "+noise(largeLine-5)+"\n", largeLines)
	for i := range sources {
		write := func(w io.Writer) error { return writeLarge(w, fmt.Sprintf("%s-%d", s.namespace, i), value) }
		digester := digest.Canonical.Digester()
		s.Expect(write(digester.Hash())).To(Succeed())
		at := fmt.Sprintf("/large-%d.yaml", i)
		s.web.handle(at, func(rw http.ResponseWriter, _ *http.Request) { _ = write(rw) })
		sources[i].HTTPS = &v1alpha1.HTTPSSource{URL: s.web.URL + at, Digest: v1alpha1.Digest(digester.Digest())}
	}
	return sources
}

// writeLarge writes one source of the large bundle.
func writeLarge(w io.Writer, prefix, value string) error {
	for i := range largeObjects {
		if _, err := fmt.Fprintf(w, "---\napiVersion: v1\nkind: ConfigMap\n"+
			"metadata: {namespace: default, name: %s-%d}\ndata:\n  value: |\n%s", prefix, i, value); err != nil {
			return err
		}
	}
	return nil
}

// noise returns n letters that do not compress, always the same.
func noise(n int) string {
	random := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, n)
	for i := range text {
		text[i] = "abcdefghijklmnopqrstuvwxyz234567"[random.IntN(32)]
	}
	return string(text)
}
