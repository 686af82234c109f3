package test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient/networktest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// requestLog records the requests of a server: method, path and range.
type requestLog struct {
	mu   sync.Mutex
	seen []string
}

// record notes the requests of a server that nobody has asked yet.
func record(server *httptest.Server) *requestLog {
	l := &requestLog{}
	serve := server.Config.Handler
	server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		l.seen = append(l.seen, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+r.Header.Get("Range")))
		l.mu.Unlock()
		serve.ServeHTTP(rw, r)
	})
	return l
}

// forget forgets the requests so far.
func (l *requestLog) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = nil
}

// matching returns the requests that match, in their order.
func (l *requestLog) matching(pattern string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for _, request := range l.seen {
		if regexp.MustCompile(pattern).MatchString(request) {
			found = append(found, request)
		}
	}
	return found
}

// networkTo starts a bad network in front of a server.
func (s *scenario) networkTo(server *httptest.Server, fault networktest.Fault) *networktest.Network {
	s.t.Helper()
	return networktest.Start(s.t, server.Listener.Addr().String(), fault)
}

// heavySize is roughly the size of the content at a place: large enough that
// everything else that is sent is less than one percent of it.
const heavySize = 2 << 20

// heavy are ConfigMaps that do not compress.
func (s *scenario) heavy() string {
	const parts = 4
	value := noise(heavySize / parts)
	var manifests []string
	for i := range parts {
		manifests = append(manifests, configMap("default", fmt.Sprintf("%s-%d", s.namespace, i), value))
	}
	return documents(manifests...)
}

// place is where a source can be published.
type place struct {
	// publish publishes the heavy content, and returns the source behind a network
	// with the fault, that network, and the requests of the server behind it.
	publish func(s *scenario, fault networktest.Fault) (v1alpha1.Source, *networktest.Network, *requestLog)
	// content matches the requests for the content.
	content string
}

func places() map[string]place {
	return map[string]place{
		"a web server": {
			content: "^GET /heavy.yaml",
			publish: func(s *scenario, fault networktest.Fault) (v1alpha1.Source, *networktest.Network, *requestLog) {
				content := s.heavy()
				seen, network := record(s.web.Server), s.networkTo(s.web.Server, fault)
				s.web.handle("/heavy.yaml", func(rw http.ResponseWriter, r *http.Request) {
					rw.Header().Set("ETag", `"v1"`)
					http.ServeContent(rw, r, "", time.Time{}, strings.NewReader(content))
				})
				src := s.web.source("heavy.yaml", content)
				src.HTTPS.URL = "http://" + network.Address() + "/heavy.yaml"
				return src, network, seen
			},
		},
		"a registry": {
			content: "^GET /v2/heavy/blobs/",
			publish: func(s *scenario, fault networktest.Fault) (v1alpha1.Source, *networktest.Network, *requestLog) {
				r := newRegistry(s)
				seen, network := record(r.Server), s.networkTo(r.Server, fault)
				r.push("heavy", "v1", layer{yamlLayer, "", s.heavy()})
				seen.forget()
				src := r.source("heavy", tagged("v1"))
				src.OCI.Repository = network.Address() + "/heavy"
				return src, network, seen
			},
		},
	}
}

func TestADownloadThatIsCutAtNinetyPercentAsksForTheRestOnly(t *testing.T) {
	t.Parallel()
	for name, at := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t)
			const cut = heavySize * 9 / 10
			// Every connection breaks: only a client that requests the rest completes.
			src, _, seen := at.publish(s, networktest.Fault{Limit: cut})
			s.bundle("cut", release("1.0.0", phase("all", src)))
			s.set("cut")
			s.cluster("kiel", "cut", testenv.SharedWorkload(t))
			s.Eventually(s.ready("cut-kiel")).Should(Equal(isReady))

			asked := seen.matching(at.content)
			s.Expect(asked).To(HaveLen(2))
			s.Expect(asked[0]).NotTo(ContainSubstring("bytes="))
			_, span, _ := strings.Cut(asked[1], " bytes=")
			first, _, _ := strings.Cut(span, "-")
			s.Expect(strconv.Atoi(first)).To(And(BeNumerically(">", cut-heavySize/100), BeNumerically("<=", cut)), asked[1])
		})
	}
}

func TestABadNetworkIsReportedAndOvercome(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given networktest.Fault
		want  string // the condition while it is bad; empty if it is overcome as it is
	}{
		"connections are reset": {
			given: networktest.Fault{Reset: true},
			want:  "False FetchFailed: .*%s.*connection reset by peer",
		},
		"latency": {given: networktest.Fault{Delay: 5 * time.Millisecond}},
	}
	for name, tc := range tests {
		for where, at := range places() {
			t.Run(name+" at "+where, func(t *testing.T) {
				t.Parallel()
				s := newScenario(t)
				src, network, seen := at.publish(s, tc.given)
				bundle := s.bundle("bad", release("1.0.0", phase("all", src)))
				if tc.want != "" {
					want := fmt.Sprintf(tc.want, regexp.QuoteMeta(network.Address()))
					s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(MatchRegexp(want))
					network.SetFault(networktest.Fault{})
				}
				s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(Equal(isReady))
				if tc.want == "" {
					s.Expect(seen.matching(at.content)).To(HaveLen(1), "nothing is requested again")
				}
			})
		}
	}
}

func TestAManagerThatIsStartedAgainDownloadsNothing(t *testing.T) {
	t.Parallel()
	management := testenv.NewManagement(t, testenv.ManagementOptions{})
	options := testenv.ManagerOptions{Management: management, CacheDir: t.TempDir(), Race: true}
	manager, err := testenv.StartManager(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(manager.Kill)
	s := scenarioWith(t, management, manager)
	r := newRegistry(s)
	web, registry := record(s.web.Server), record(r.Server)
	workload := testenv.SharedWorkload(t)
	s.bundle("kept", release("1.0.0", s.onePhaseForEachForm(r)...))
	s.set("kept")
	s.cluster("bonn", "kept", workload)
	s.Eventually(s.ready("kept-bonn")).Should(Equal(isReady))
	manager.Stop()
	s.Expect(web.matching("^GET ")).NotTo(BeEmpty())
	s.Expect(registry.matching("^GET .*/blobs/")).NotTo(BeEmpty())
	web.forget()
	registry.forget()

	if s.manager, err = testenv.StartManager(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.manager.Kill)
	// It opens everything for a Cluster that it has not seen before.
	s.cluster("ulm", "kept", workload)
	s.Eventually(s.ready("kept-ulm")).Should(Equal(isReady))
	s.Expect(web.matching("")).To(BeEmpty())
	s.Expect(registry.matching("^GET .*/blobs/")).To(BeEmpty())
	s.Expect(registry.matching("^GET ")).To(HaveLen(3), "who may read an artifact reads its manifest once for each manager")
	s.Expect(registry.matching("^HEAD /v2/plain/manifests/v1")).NotTo(BeEmpty(), "it looks where the tag points to")
}

// onePhaseForEachForm publishes a source of each form that is downloaded.
func (s *scenario) onePhaseForEachForm(r *ociRegistry) []v1alpha1.Phase {
	s.t.Helper()
	r.push("plain", "v1", layer{yamlLayer, "", configMap("default", s.namespace+"-plain", "x")})
	r.push("flux", "v1", layer{fluxLayer, "", s.tarball(map[string]string{
		"a.yaml": configMap("default", s.namespace+"-flux", "x"),
	})})
	r.push("charts/agent", "1.2.3", layer{chartLayer, "", s.smallChart("chart")})
	archived := s.web.publish("agent-1.2.3.tgz", s.smallChart("archive"))
	return []v1alpha1.Phase{
		phase("web", s.web.publish("plain.yaml", configMap("default", s.namespace+"-web", "x"))),
		phase("registry", r.source("plain", tagged("v1")), r.source("flux", tagged("v1"))),
		phase("chart", s.helmSource("oci://"+r.repository("charts/agent"))),
		phase("archive", s.helmSource(archived.HTTPS.URL, func(src *v1alpha1.HelmSource) {
			src.Digest = archived.HTTPS.Digest
		})),
	}
}

// smallChart packs a chart with nothing but a ConfigMap: its kinds would collide
// with those of other tests.
func (s *scenario) smallChart(name string) string {
	s.t.Helper()
	return s.tarball(map[string]string{
		"agent/Chart.yaml":            "apiVersion: v2\nname: agent\nversion: 1.2.3\n",
		"agent/templates/config.yaml": configMap("{{ .Release.Namespace }}", s.namespace+"-"+name, "x"),
	})
}

func TestTwentyClustersAreOneDownloadPerDigest(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	r := newRegistry(s)
	seen := record(r.Server)
	r.push("shared", "v1", layer{yamlLayer, "", configMap("default", s.namespace+"-1", "x")},
		layer{fluxLayer, "", s.tarball(map[string]string{"a.yaml": configMap("default", s.namespace+"-2", "x")})})
	r.push("charts/agent", "1.2.3", layer{chartLayer, "", s.smallChart("chart")})
	seen.forget()

	const clusters = 20
	s.set("shared")
	for i := range clusters {
		s.cluster(fmt.Sprintf("c%d", i), "shared", testenv.SharedWorkload(t))
	}
	// All of them ask at the same time.
	s.bundle("shared", release("1.0.0", phase("all", r.source("shared", tagged("v1"))),
		phase("chart", s.helmSource("oci://"+r.repository("charts/agent")))))
	for i := range clusters {
		s.Eventually(s.ready(fmt.Sprintf("shared-c%d", i))).Should(Equal(isReady))
	}
	downloads := seen.matching("^GET .*sha256:")
	s.Expect(downloads).To(ConsistOf(unique(downloads)), "each digest is downloaded once")
	s.Expect(seen.matching("^GET .*/blobs/")).To(HaveLen(3), "two layers and a chart")
}

// unique returns each of the texts once.
func unique(texts []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(texts)))
}
