package test

import (
	"fmt"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/opencontainers/go-digest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// catalogue reads a Bundle of the catalogue and has servers of the scenario
// serve its files and charts, so that a test needs no network. Without the files
// the test is skipped.
func (s *scenario) catalogue(name string) *v1alpha1.Bundle {
	s.t.Helper()
	bundle, err := testenv.Catalogue(name)
	s.Expect(err).NotTo(HaveOccurred())
	bundle.Namespace = s.namespace
	for _, release := range bundle.Spec.Releases {
		for _, phase := range release.Phases {
			for _, source := range phase.Sources {
				switch {
				case source.HTTPS != nil:
					s.serve(release.Version, source.HTTPS)
				case source.Helm != nil:
					s.serveChart(source.Helm)
				}
			}
		}
	}
	return bundle
}

// serve has the web server serve the file of a source in upstream's place.
func (s *scenario) serve(version string, source *v1alpha1.HTTPSSource) {
	s.t.Helper()
	file, err := testenv.CatalogueFile(s.t.Context(), source.URL, string(source.Digest))
	s.skipWithout(err)
	at := "/" + version + "/" + path.Base(source.URL)
	s.web.handle(at, func(rw http.ResponseWriter, r *http.Request) { http.ServeFile(rw, r, file) })
	source.URL = s.web.URL + at
}

// skipWithout skips the test when a file is not to be had.
func (s *scenario) skipWithout(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Skip("the files of the catalogue are not to be had: ", err)
	}
}

// charts are copies of the charts of the catalogue, by repository and version: the
// archive, or what it renders to, with its digest.
var charts = map[string]struct{ place, digest string }{
	"oci://ghcr.io/kube-logging/helm-charts/logging-operator 6.7.0": {
		"logging-operator/6.7.0/chart/logging-operator-6.7.0.tgz", "fb32976725875105076ea75783694d7afc49b81d6c07d06f33963393a298105a",
	},
	"https://helm.cilium.io/cilium 1.20.1": {
		"cilium/v1.20.1/cilium-minikube.yaml", "a13714e3497e5fe4191d79bf8f95f206296a68415f14172abc1fb31664f04b22",
	},
}

// serveChart publishes the copy of a chart in upstream's place, in a registry or a
// chart repository of the scenario. Where there is only what upstream's chart rendered
// to elsewhere, that is the one template of the chart: then neither upstream's
// templates nor the values of the Bundle are tested.
func (s *scenario) serveChart(source *v1alpha1.HelmSource) {
	s.t.Helper()
	from, known := charts[source.Chart+" "+source.Version]
	s.Expect(known).To(BeTrue(), "no copy of chart %s %s is known", source.Chart, source.Version)
	file, err := testenv.CatalogueCopy(from.place, from.digest)
	s.skipWithout(err)
	text, err := os.ReadFile(file)
	s.Expect(err).NotTo(HaveOccurred())
	name, chart := path.Base(source.Chart), string(text)
	if path.Ext(from.place) == ".yaml" {
		chart = s.tarball(map[string]string{
			name + "/Chart.yaml":         fmt.Sprintf("apiVersion: v2\nname: %s\nversion: %s\n", name, source.Version),
			name + "/templates/all.yaml": strings.ReplaceAll(chart, "{{", `{{ "{{" }}`),
		})
	}
	if strings.HasPrefix(source.Chart, "oci://") {
		r := newRegistry(s)
		r.push("charts/"+name, source.Version, layer{chartLayer, "", chart})
		source.Chart = "oci://" + r.repository("charts/"+name)
		return
	}
	archive := name + "-" + source.Version + ".tgz"
	s.web.publish("charts/"+archive, chart)
	s.web.publish("charts/index.yaml", fmt.Sprintf("apiVersion: v1\nentries:\n  %s:\n  - version: %s\n"+
		"    urls: [%s]\n    digest: %s\n", name, source.Version, archive, digest.FromString(chart).Encoded()))
	source.Chart, source.Digest = s.web.URL+"/charts/"+name, v1alpha1.Digest(digest.FromString(chart))
}

func TestEveryBundleOfTheCatalogueIsAccepted(t *testing.T) {
	t.Parallel()
	names, err := testenv.CatalogueNames()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t)
			bundle, err := testenv.Catalogue(name)
			s.Expect(err).NotTo(HaveOccurred())
			bundle.Namespace = s.namespace
			s.Expect(client.NewDryRunClient(s.management.Client).Create(t.Context(), bundle,
				client.FieldValidation("Strict"))).To(Succeed())
		})
	}
}

func TestExtraImagesThatAreNoList(t *testing.T) {
	t.Parallel()
	many := make([]string, 129)
	for i := range many {
		many[i] = fmt.Sprintf("example.com/image:%d", i)
	}
	tests := map[string]struct {
		given []string
		want  string // "" if it is accepted
	}{
		"as many as there may be": {many[:128], ""},
		"one too many":            {many, "extraImages: Too many: 129: must have at most 128 items"},
		"one twice":               {[]string{"a", "b", "a"}, `extraImages[2]: Duplicate value: "a"`},
		"one without a name":      {[]string{""}, "extraImages[0]"},
		"as long as it may be":    {[]string{strings.Repeat("x", 512)}, ""},
		"one that is too long":    {[]string{strings.Repeat("x", 513)}, "extraImages[0]: Too long"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t)
			given := release("1.0.0", phase("all", inline(configMap("default", "x", "y"))))
			given.ExtraImages = tc.given
			bundle := &v1alpha1.Bundle{
				ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "images"},
				Spec:       v1alpha1.BundleSpec{Releases: []v1alpha1.Release{given}},
			}
			err := client.NewDryRunClient(s.management.Client).Create(t.Context(), bundle)
			if tc.want == "" {
				s.Expect(err).NotTo(HaveOccurred())
				return
			}
			s.Expect(err).To(MatchError(ContainSubstring(tc.want)))
		})
	}
}

// delivery is the expected result of a release of the catalogue.
type delivery struct {
	// phases are the state and progress of each at the end.
	phases []string
	// waits begins the message about what the release waits for and no program of the
	// test provides; does is what that program would do, since no image runs on a
	// simulated node.
	waits string
	does  func(*scenario, *testenv.Workload)
	// images are those of the status of the release.
	images []string
}

func calico(operator string, phases ...string) delivery {
	return delivery{phases, waitsForTigeraStatus, (*scenario).tigeraStatusAvailable, []string{"quay.io/tigera/operator:" + operator}}
}

// logging is a release of the Logging Operator whose Logging has that name and is in
// that phase.
func logging(name, phase string, images []string, phases ...string) delivery {
	waits := "False ReadyWhenNotMet: phase " + phase + ": Logging " + name + ": "
	return delivery{phases, waits, func(s *scenario, w *testenv.Workload) { s.t.Helper(); s.loggingOperates(w, name) }, images}
}

// loggingOperates does what the Logging Operator does for a Logging.
func (s *scenario) loggingOperates(w *testenv.Workload, name string) {
	s.t.Helper()
	for kind, ofKind := range map[string]string{
		"StatefulSet fluentd": "serviceName: fluentd, replicas: 1, ", "DaemonSet fluentbit": "",
	} {
		kind, component, _ := strings.Cut(kind, " ")
		object := &unstructured.Unstructured{}
		s.Expect(yaml.Unmarshal(fmt.Appendf(nil, `{apiVersion: apps/v1, kind: %s, metadata: {name: %s-%s, namespace: logging}, spec: {%s
			selector: {matchLabels: {app: %[3]s}}, template: {metadata: {labels: {app: %[3]s}},
			spec: {containers: [{name: main, image: example.com/%[3]s}]}}}}`, kind, name, component, ofKind), object)).To(Succeed())
		s.Expect(w.Client.Create(s.t.Context(), object)).To(Succeed())
	}
	checked := client.RawPatch(types.MergePatchType, []byte(`{"status":{"configCheckResults":{"c0ffee":true}}}`))
	of := member{"logging.banzaicloud.io/v1beta1", "Logging", "", name}
	s.Expect(w.Client.Status().Patch(s.t.Context(), of.object(), checked)).To(Succeed())
}

func TestEveryReleaseOfTheCatalogueIsAppliedWhole(t *testing.T) {
	t.Parallel()
	want := map[string]map[string]delivery{
		"calico": {
			"3.32.1": calico("v1.42.3", "crds Ready 32/32", "operator Ready 7/7", "resources Ready 4/4"),
			"3.31.7": calico("v1.40.15", "crds Ready 32/32", "operator Ready 7/7", "resources Ready 4/4"),
			"3.30.7": calico("v1.38.13", "crds Ready 32/32", "operator Ready 7/7", "resources Ready 4/4"),
			"3.29.7": calico("v1.36.16", "operator Ready 29/29", "resources Ready 2/2"),
			"3.28.5": calico("v1.34.13", "operator Ready 27/27", "resources Ready 2/2"),
		},
		"calico-ebpf": {
			"3.31.7": calico("v1.40.15", "crds Ready 32/32", "operator Ready 7/7", "resources Ready 4/4"),
		},
		"cilium": {
			"1.20.1": {phases: []string{"cilium Ready 23/23"}, images: []string{
				"quay.io/cilium/cilium-envoy:v1.37.5-1786810558-766ccfb37260a43e9d228837aa84ce3faf9f64e7" +
					"@sha256:75b8094c7127736a2ffd2dce3945e0931cb6df21b0372ff661940eca26730b91",
				"quay.io/cilium/cilium:v1.20.1" +
					"@sha256:ae9ea21f7427fe24bc6ea7247eb552157a1b0a431744045d3f641545ca71d11b",
				"quay.io/cilium/operator-generic:v1.20.1" +
					"@sha256:6c3885fc7b629099fdbe2a5c87869c86feb825fa18fae299eac0f61918d16ecf",
			}},
		},
		"logging-operator": {
			"6.7.0": logging("default", "logging", []string{
				"docker.io/library/busybox:latest",
				"ghcr.io/fluent/fluent-bit:5.0.5",
				"ghcr.io/kube-logging/eventrouter:1.0.0",
				"ghcr.io/kube-logging/logging-operator/config-reloader:6.7.0",
				"ghcr.io/kube-logging/logging-operator/fluentd-drain-watch:6.7.0",
				"ghcr.io/kube-logging/logging-operator/fluentd:6.7.0-full",
				"ghcr.io/kube-logging/logging-operator/node-exporter:6.7.0",
				"ghcr.io/kube-logging/logging-operator/syslog-ng-reloader:6.7.0",
				"ghcr.io/kube-logging/logging-operator:6.7.0",
				"registry.k8s.io/pause:3.9",
			}, "crds Ready 16/16", "operator Ready 7/7", "logging Ready 4/4"),
		},
		"logging-operator-edge": {
			"6.7.0": logging("logging-operator", "operator", []string{
				"ghcr.io/fluent/fluent-bit:5.0.5",
				"ghcr.io/kube-logging/logging-operator/config-reloader:6.7.0",
				"ghcr.io/kube-logging/logging-operator/fluentd:6.7.0-full",
				"ghcr.io/kube-logging/logging-operator:6.7.0",
			}, "crds Ready 16/16", "operator Ready 10/10"),
		},
	}
	names, err := testenv.CatalogueNames()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, name := range names {
		bundle, err := testenv.Catalogue(name)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		for _, release := range bundle.Spec.Releases {
			t.Run(name+" "+release.Version, func(t *testing.T) {
				t.Parallel()
				newScenario(t).expectDelivery(name, release.Version, want[name][release.Version])
			})
		}
	}
}

// expectDelivery gives a release of the catalogue to a whole cluster of one node.
func (s *scenario) expectDelivery(name, version string, want delivery) {
	s.t.Helper()
	bundle := s.catalogue(name)
	for i := range bundle.Spec.Releases {
		// The API server of the tests is of one version only.
		bundle.Spec.Releases[i].Kubernetes = ""
	}
	w := testenv.NewWorkload(s.t, testenv.WorkloadOptions{Nodes: 1})
	s.create(bundle)
	s.set(name, func(spec *v1alpha1.ClusterBundleSetSpec) { spec.Bundle.Version = version })
	s.cluster("lyon", name, w)
	if want.waits != "" {
		s.Eventually(s.ready(name + "-lyon")).Should(HavePrefix(want.waits))
		want.does(s, w)
	}
	s.Eventually(s.ready(name + "-lyon")).Should(Equal(isReady))
	cb, err := s.clusterBundle(name + "-lyon")
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(phasesOf(cb)).To(Equal(want.phases))
	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(Equal(isReady))
	at := slices.IndexFunc(bundle.Status.Releases, func(r v1alpha1.ReleaseStatus) bool { return r.Version == version })
	s.Expect(at).To(BeNumerically(">=", 0), "the release is in the status of the Bundle")
	s.Expect(bundle.Status.Releases[at].Images).To(Equal(want.images))
}

const namespaceLogging = "apiVersion: v1\nkind: Namespace\nmetadata: {name: logging}\n"

func TestAPublishedChartIsAppliedWholeAsOnePhase(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	chart := s.catalogue("logging-operator").Spec.Releases[0].Phases[1].Sources[1]
	chart.Helm.IncludeCRDs = new(true)
	s.bundle("logging", release("6.7.0", phase("all", inline(namespaceLogging), chart)))
	s.set("logging")
	s.cluster("lyon", "logging", testenv.NewWorkload(t, testenv.WorkloadOptions{Nodes: 1}))
	s.Eventually(s.ready("logging-lyon")).Should(Equal(isReady))
	cb, err := s.clusterBundle("logging-lyon")
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(phasesOf(cb)).To(Equal([]string{"all Ready 23/23"}))
}
