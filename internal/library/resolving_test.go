package library

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/fetch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/rendered"
)

// charts resolves charts by their names and remembers what they were told.
type charts struct {
	resolver
	mu     sync.Mutex
	bodies map[string]string
	told   map[string][]string
}

func (c *charts) Static(query source.Query) (source.Part, bool) {
	if query.Source.Helm != nil {
		return source.Part{}, false
	}
	return c.resolver.Static(query)
}

func (c *charts) Resolve(ctx context.Context, query source.Query) ([]source.Part, error) {
	if query.Source.Helm == nil {
		return c.resolver.Resolve(ctx, query)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	name := query.Source.Helm.Chart
	c.told[name] = query.APIVersions
	told := configMap("told-" + digest.FromString(fmt.Sprint(query.APIVersions)).Encoded())
	part, _ := c.Static(source.Query{Source: inlineOf(c.bodies[name] + told)})
	return []source.Part{part}, nil
}

func (c *charts) Describe(src v1alpha1.Source) string {
	if src.Helm != nil {
		return "chart " + src.Helm.Chart
	}
	return c.resolver.Describe(src)
}

// put publishes a chart and returns its source.
func (c *charts) put(name, body string) v1alpha1.Source {
	c.bodies[name] = body
	return v1alpha1.Source{Helm: &v1alpha1.HelmSource{Chart: name}}
}

func newCharts() (*charts, func(*Config)) {
	c := &charts{bodies: map[string]string{}, told: map[string][]string{}}
	return c, func(cfg *Config) { c.resolver, cfg.Sources = cfg.Sources, c }
}

func inlineOf(manifests string) v1alpha1.Source {
	return v1alpha1.Source{Inline: &v1alpha1.InlineSource{Manifests: manifests}}
}

// definitionOf is a CustomResourceDefinition of a kind of example.com.
func definitionOf(kind string) string {
	plural := strings.ToLower(kind) + "s"
	return "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n" +
		"metadata: {name: " + plural + ".example.com}\n" +
		"spec:\n  group: example.com\n  scope: Cluster\n  names: {kind: " + kind + ", plural: " + plural + "}\n" +
		"  versions: [{name: v1, served: true}, {name: v1beta1, served: false}]\n"
}

func TestAChartIsToldTheKindsThatItCanBuildOn(t *testing.T) {
	t.Parallel()
	c, with := newCharts()
	l := newLibrary(t, t.TempDir(), newShelf(), with)
	r := phased(
		[]v1alpha1.Source{c.put("zero", definitionOf("Zero")), l.shelf.put("https://example.com/a", definitionOf("Apple"))},
		[]v1alpha1.Source{
			c.put("one", definitionOf("One")), inlineOf(definitionOf("Banana")), c.put("two", definitionOf("Two")),
			l.tags.set("stable", l.shelf.put("https://example.com/c", definitionOf("Cherry")), nil),
		},
		[]v1alpha1.Source{inlineOf(definitionOf("Date"))},
	)
	l.mustOpen(t, r)
	of := func(kinds ...string) []string {
		all := []string{"example.com/v1"}
		for _, kind := range kinds {
			all = append(all, "example.com/v1/"+kind)
		}
		return all
	}
	want := map[string][]string{
		"zero": of("Apple"),
		"one":  of("Apple", "Banana", "Cherry", "Zero"),
		"two":  of("Apple", "Banana", "Cherry", "One", "Zero"),
	}
	if diff := cmp.Diff(want, c.told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAChartIsRenderedAgainForOtherKindsOnly(t *testing.T) {
	t.Parallel()
	c, with := newCharts()
	l := newLibrary(t, t.TempDir(), newShelf(), with)
	chart := c.put("web", "")
	digestOf := func(kinds string) v1alpha1.Digest {
		opened := l.mustOpen(t, phased([]v1alpha1.Source{inlineOf(kinds)}, []v1alpha1.Source{chart}))
		for digest, part := range opened.parts {
			if strings.HasPrefix(part.Name, "inline") && digest != string(digestOf(inlineOf(kinds))) {
				return v1alpha1.Digest(digest)
			}
		}
		t.Fatal("want the chart among the parts")
		return ""
	}
	before := digestOf(definitionOf("Apple"))
	if same := digestOf(definitionOf("Apple") + configMap("more")); same != before {
		t.Error("want the same rendering for the same kinds")
	}
	if other := digestOf(definitionOf("Banana")); other == before {
		t.Error("want another rendering for other kinds")
	}
}

func TestAChartWaitsForTheSourcesThatItCanBuildOn(t *testing.T) {
	t.Parallel()
	c, with := newCharts()
	l := newLibrary(t, t.TempDir(), newShelf(), with)
	crds := l.shelf.put("https://example.com/a", definitionOf("Apple"))
	l.shelf.fail("https://example.com/a", errors.New("gone fishing"))
	r := of(c.put("web", ""), crds)
	_, err := l.settle(t, r)
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "phase phase-0: https://example.com/a: gone fishing")
	if strings.Contains(err.Error(), "web") || len(c.told) > 0 {
		t.Errorf("want nothing about the chart, which was not asked about: %v", err)
	}
	l.shelf.fail("https://example.com/a", nil)
	l.clock.Step(firstRetry)
	_, _ = l.Open(calico, r)
	l.hear(t)
	l.mustOpen(t, r)
	if diff := cmp.Diff(map[string][]string{"web": {"example.com/v1", "example.com/v1/Apple"}}, c.told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// asksWhatIsServed is a chart that asks for the kinds of crds.yaml beside it.
const asksWhatIsServed = "../../test/testdata/asks-what-is-served"

func TestARealChartAsksForTheKindsOfOtherSources(t *testing.T) {
	t.Parallel()
	crds, err := os.ReadFile(asksWhatIsServed + "/crds.yaml")
	if err != nil {
		t.Fatal(err)
	}
	packed := packedChart(t, asksWhatIsServed+"/chart")
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(packed) }))
	t.Cleanup(web.Close)
	chart := v1alpha1.Source{Helm: &v1alpha1.HelmSource{
		Chart: web.URL + "/probe.tgz", Version: "0.1.0", ReleaseName: "probe", Namespace: "default",
		Digest: v1alpha1.Digest(digest.FromBytes(packed)),
	}}
	told := *chart.Helm
	told.APIVersions = []string{"monitoring.coreos.com/v1"}
	tests := map[string]struct {
		given v1alpha1.Release
		want  []string
	}{
		"nobody brings them": {of(chart), []string{"cert-manager.io/v1alpha2 Certificate"}},
		"an earlier phase brings them": {
			phased([]v1alpha1.Source{inlineOf(string(crds))}, []v1alpha1.Source{chart}),
			[]string{"cert-manager.io/v1 Certificate", "monitoring.coreos.com/v1 ServiceMonitor"},
		},
		"they stand behind it in its phase": {
			of(chart, inlineOf(string(crds))),
			[]string{"cert-manager.io/v1 Certificate", "monitoring.coreos.com/v1 ServiceMonitor"},
		},
		"one is named in apiVersions": {
			of(v1alpha1.Source{Helm: &told}),
			[]string{"cert-manager.io/v1alpha2 Certificate", "monitoring.coreos.com/v1 ServiceMonitor"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLibrary(t, t.TempDir(), newShelf(), withRealSources(t))
			opened := l.mustOpen(t, test.given)
			var got []string
			for object := range opened.Plan.All {
				if object.CRD == nil {
					got = append(got, object.Group+"/"+object.Version+" "+object.Kind)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// withRealSources has a Library resolve sources as the manager does.
func withRealSources(t *testing.T, objects ...client.Object) func(*Config) {
	t.Helper()
	web := fetch.DefaultConfig()
	web.AllowCIDRs = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	sources, err := fetch.New(web)
	if err != nil {
		t.Fatal(err)
	}
	registry := oci.DefaultConfig()
	registry.UserAgent, registry.Dial = "test", sources.DialContext
	registries, err := oci.New(registry)
	if err != nil {
		t.Fatal(err)
	}
	management := fake.NewClientBuilder().WithObjects(objects...).Build()
	return func(cfg *Config) {
		real, err := source.New(source.Config{
			Sources: sources, Registries: registries, Objects: management,
			Renderings: rendered.Secrets{Reader: management, Creator: management},
			Kubernetes: "v1.36", Store: cfg.Store, Children: cfg.Children,
			Settings: source.Settings{Charts: helm.DefaultLimits(), SecretTypes: source.DefaultSecretTypes()},
		})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Sources = real
	}
}

// packedChart returns the archive of a chart in a folder.
func packedChart(t *testing.T, folder string) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	err := fs.WalkDir(os.DirFS(folder), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(folder + "/" + path)
		if err != nil {
			return err
		}
		header := tar.Header{Name: "chart/" + path, Mode: 0o600, Size: int64(len(content)), Typeflag: tar.TypeReg}
		if err := w.WriteHeader(&header); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	if err = errors.Join(err, w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
