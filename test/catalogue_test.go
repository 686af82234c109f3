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
	"sigs.k8s.io/controller-runtime/pkg/client"

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

// rendered are copies of what the charts of the catalogue render to, by
// repository and version, with their digests.
var rendered = map[string]struct{ place, digest string }{
	"oci://ghcr.io/kube-logging/helm-charts/logging-operator 6.7.0": {
		"logging-operator/6.7.0/operator.yaml", "01af0c0dc90d4510aa0a187e0936651e6e8a2bff50880cbf81cce05640c0a089",
	},
	"https://helm.cilium.io/cilium 1.20.1": {
		"cilium/v1.20.1/cilium-minikube.yaml", "a13714e3497e5fe4191d79bf8f95f206296a68415f14172abc1fb31664f04b22",
	},
}

// serveChart publishes a chart in upstream's place, in a registry or a chart
// repository of the scenario. It is not upstream's, which cannot be had without a
// network: its one template is what upstream's chart rendered to elsewhere. So the
// objects are upstream's and the chart is fetched and rendered as any, but neither
// upstream's templates nor the values of the Bundle are tested.
func (s *scenario) serveChart(source *v1alpha1.HelmSource) {
	s.t.Helper()
	from, known := rendered[source.Chart+" "+source.Version]
	s.Expect(known).To(BeTrue(), "no copy of chart %s %s is known", source.Chart, source.Version)
	file, err := testenv.CatalogueCopy(from.place, from.digest)
	s.skipWithout(err)
	text, err := os.ReadFile(file)
	s.Expect(err).NotTo(HaveOccurred())
	name := path.Base(source.Chart)
	chart := s.tarball(map[string]string{
		name + "/Chart.yaml":         fmt.Sprintf("apiVersion: v2\nname: %s\nversion: %s\n", name, source.Version),
		name + "/templates/all.yaml": strings.ReplaceAll(string(text), "{{", `{{ "{{" }}`),
	})
	if strings.HasPrefix(source.Chart, "oci://") {
		r := newRegistry(s)
		r.push("charts/"+name, source.Version, layer{chartLayer, "", chart})
		source.Chart, source.Insecure = "oci://"+r.repository("charts/"+name), new(true)
		return
	}
	archive := name + "-" + source.Version + ".tgz"
	s.web.publish("charts/"+archive, chart)
	s.web.publish("charts/index.yaml", fmt.Sprintf("apiVersion: v1\nentries:\n  %s:\n  - version: %s\n"+
		"    urls: [%s]\n    digest: %s\n", name, source.Version, archive, digest.FromString(chart).Encoded()))
	source.Chart = s.web.URL + "/charts/" + name
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
	// waits names what the release waits for and no program of the test provides.
	waits string
	// images are those of the status of the release.
	images []string
}

func calico(operator string, phases ...string) delivery {
	return delivery{phases, waitsForTigeraStatus, []string{"quay.io/tigera/operator:" + operator}}
}

func TestEveryReleaseOfTheCatalogueIsAppliedWhole(t *testing.T) {
	t.Parallel()
	want := map[string]map[string]delivery{
		"calico": {
			"3.32.1": calico("v1.42.3", "crds Ready 32/32", "operator Ready 7/7", "resources Ready 4/4"),
			"3.31.7": calico("v1.40.15", "crds Ready 32/32", "operator Ready 7/7", "resources Ready 4/4"),
			"3.30.7": calico("v1.38.13", "crds Ready 32/32", "operator Ready 7/7", "resources Ready 4/4"),
			"3.29.7": calico("v1.36.16", "operator Ready 29/29", "resources Ready 2/2"),
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
			"6.7.0": {phases: []string{"crds Ready 16/16", "operator Ready 7/7"}, images: []string{
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
			}},
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
		s.Eventually(s.ready(name + "-lyon")).Should(Equal(want.waits))
		s.tigeraStatusAvailable(w)
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
