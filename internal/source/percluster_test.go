package source_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// cluster is the object of a Cluster.
func cluster(of source.Cluster) *clusterv1.Cluster {
	return &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: of.Namespace, Name: of.Name, UID: of.UID}}
}

// random is a source of a chart with random functions, and what ends its server.
func random(t *testing.T) (src v1alpha1.Source, end func()) {
	t.Helper()
	chart := packedChart(t, map[string]string{
		"templates/x.yaml": "kind: X\nword: {{ randAlphaNum 20 }}\nminor: {{ .Capabilities.KubeVersion.Minor }}\n",
	})
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(chart) }))
	t.Cleanup(web.Close)
	return v1alpha1.Source{Helm: &v1alpha1.HelmSource{
		Chart: web.URL + "/web.tgz", Version: "1.2.3", ReleaseName: "web", Namespace: "shop",
		Digest: v1alpha1.Digest(digest.FromBytes(chart)), RandomFunctions: v1alpha1.PerClusterRandomFunctions,
	}}, web.Close
}

// at returns the part of the source for a version of Kubernetes.
func at(t *testing.T, r *source.Resolver, src v1alpha1.Source, kubernetes string, told ...string) source.Part {
	t.Helper()
	parts, err := r.Resolve(t.Context(), source.Query{
		Namespace: namespace, Source: src, Kubernetes: kubernetes, APIVersions: told,
	})
	if err != nil {
		t.Fatal(err)
	}
	return parts[0]
}

// ofCluster returns the text of what a Cluster gets.
func ofCluster(t *testing.T, part source.Part, of source.Cluster) string {
	t.Helper()
	own, err := part.ForCluster(t.Context(), of)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(strings.NewReader(content(t, own)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEachClusterGetsARenderingOfItsOwnOnce(t *testing.T) {
	t.Parallel()
	one, two := source.Cluster{Namespace: "clusters", Name: "one", UID: "1"}, source.Cluster{Namespace: "clusters", Name: "two", UID: "2"}
	src, end := random(t)
	r := newResolver(t, cluster(one), cluster(two))
	shared := at(t, r, src, "v1.35")
	first, second := ofCluster(t, shared, one), ofCluster(t, shared, two)
	placeholders := content(t, shared)
	if first == second || first == placeholders || !strings.Contains(first, "minor: 35") {
		t.Errorf("want a word for each Cluster, got %q, %q and the placeholder %q", first, second, placeholders)
	}

	// Another manager with an empty cache, for which the chart is out of reach, and a
	// Cluster that was upgraded.
	upgraded := at(t, r, src, "v1.36", "example.com/v1")
	if upgraded.Identity != shared.Identity || upgraded.Identity == "" {
		t.Errorf("want one identity, got %q and %q", shared.Identity, upgraded.Identity)
	}
	end()
	if err := r.Store.Remove(digest.Digest(src.Helm.Digest)); err != nil {
		t.Fatal(err)
	}
	if again := ofCluster(t, upgraded, one); again != first {
		t.Errorf("want the same bytes, got %q after %q", again, first)
	}
}

func TestAnotherSourceIsAnotherRenderingForACluster(t *testing.T) {
	t.Parallel()
	src, _ := random(t)
	r := newResolver(t)
	other := *src.DeepCopy()
	other.Helm.APIVersions = []string{"example.com/v1"}
	if at(t, r, src, "v1.36").Identity == at(t, r, other, "v1.36").Identity {
		t.Error("want another identity for another source")
	}
}

func TestARenderingThatIsGoneIsNotMadeAnewByAFetch(t *testing.T) {
	t.Parallel()
	one := source.Cluster{Namespace: "clusters", Name: "one", UID: "1"}
	src, _ := random(t)
	r := newResolver(t, cluster(one))
	own, err := at(t, r, src, "v1.36").ForCluster(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	management, _ := r.Objects.(client.Client)
	if err := management.DeleteAllOf(t.Context(), &corev1.Secret{}, client.InNamespace("clusters")); err != nil {
		t.Fatal(err)
	}
	_, err = own.Fetch(t.Context(), store.Partial{})
	if fault.ReasonOf(err, "") != v1alpha1.ReferenceNotFoundReason || !strings.Contains(err.Error(), "Secret one-rendered-") {
		t.Errorf("want an error that names the Secret, got %v", err)
	}
}

func TestAnErrorOfARenderingForAClusterNamesTheChart(t *testing.T) {
	t.Parallel()
	src, _ := random(t)
	_, err := at(t, newResolver(t), src, "v1.36").ForCluster(t.Context(), source.Cluster{Namespace: "clusters", Name: "gone", UID: "1"})
	if fault.ClassOf(err) != fault.ClassWait || !strings.Contains(err.Error(), "chart http://") ||
		!strings.Contains(err.Error(), "Cluster gone is gone") {
		t.Errorf("want to wait, got %v", err)
	}
}

func TestAChartWithRandomFunctionsIsRefusedUnlessTheyArePerCluster(t *testing.T) {
	t.Parallel()
	src, _ := random(t)
	src.Helm.RandomFunctions = v1alpha1.RefuseRandomFunctions
	_, err := newResolver(t).Resolve(t.Context(), source.Query{Namespace: namespace, Source: src})
	if fault.ClassOf(err) != fault.ClassStall || !strings.Contains(err.Error(), "randomFunctions: PerCluster") {
		t.Errorf("want a Stall that names the option, got %v", err)
	}
}
