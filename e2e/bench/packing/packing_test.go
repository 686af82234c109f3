package packing

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"helm.sh/helm/v4/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/fake"
)

// manifests of a bundle: the template is of an operator, which is not to take it for Helm's.
const manifests = `# published
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: first, namespace: shop}
data: {line: "{{ .Name }}"}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: shops.example.com}
`

func written(t *testing.T, content string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bundle.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{path}
}

func TestAChartHasItsCRDsApartAndEverythingElseAsPublished(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chart.tgz")
	if err := Chart(path, "1.2.3", written(t, manifests)); err != nil {
		t.Fatal(err)
	}
	chart, err := loader.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if chart.Metadata.Version != "1.2.3" || len(chart.CRDObjects()) != 1 {
		t.Fatalf("version %s, %d files of CRDs", chart.Metadata.Version, len(chart.CRDObjects()))
	}
	if crds := string(chart.CRDObjects()[0].File.Data); strings.Count(crds, "kind:") != 1 || !strings.Contains(crds, "shops.example.com") {
		t.Errorf("CRDs: %s", crds)
	}
	rendered, err := engine.Render(chart, common.Values{})
	if err != nil {
		t.Fatal(err)
	}
	text := rendered["bundle/templates/000.yaml"]
	if !strings.Contains(text, `line: "{{ .Name }}"`) || !strings.Contains(text, "kind: Namespace") || strings.Contains(text, "shops") {
		t.Errorf("templates: %s", text)
	}
}

// identities returns the kinds and names of the objects of ConfigMaps in their order.
func identities(t *testing.T, maps []*corev1.ConfigMap) []string {
	t.Helper()
	var all []string
	for _, m := range maps {
		var objects []unstructured.Unstructured
		var list []map[string]any
		if err := json.Unmarshal([]byte(m.Data[key]), &list); err != nil {
			t.Fatal(err)
		}
		for _, object := range list {
			objects = append(objects, unstructured.Unstructured{Object: object})
		}
		for _, o := range objects {
			all = append(all, o.GetKind()+" "+o.GetName())
		}
	}
	return all
}

func TestConfigMapsHaveTheCRDsFirst(t *testing.T) {
	maps, undeliverable, err := ConfigMaps("default", "calico", written(t, manifests))
	if err != nil || len(undeliverable) != 0 || len(maps) != 1 {
		t.Fatalf("%d, %v, %v", len(maps), undeliverable, err)
	}
	want := []string{"CustomResourceDefinition shops.example.com", "Namespace shop", "ConfigMap first"}
	if diff := cmp.Diff(want, identities(t, maps)); diff != "" {
		t.Error(diff)
	}
	if maps[0].Name != "calico-0" || maps[0].Namespace != "default" {
		t.Errorf("it is %s/%s", maps[0].Namespace, maps[0].Name)
	}
}

// sized returns a ConfigMap whose JSON has at least n bytes.
func sized(name string, n int) string {
	return fmt.Sprintf("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {x: %s}\n", name, strings.Repeat("x", n))
}

func TestWhatFitsInNoConfigMapIsNamedAndTheRestIsSplit(t *testing.T) {
	const third = 400 << 10
	content := sized("a", third) + sized("b", third) + sized("large", 1<<20) + sized("c", third)
	maps, undeliverable, err := ConfigMaps("default", "many", written(t, content))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ConfigMap a", "ConfigMap b", "ConfigMap c"}, identities(t, maps)); diff != "" {
		t.Error(diff)
	}
	if len(maps) != 2 || len(undeliverable) != 1 || !strings.HasPrefix(undeliverable[0], "ConfigMap large (10486") {
		t.Errorf("%d ConfigMaps, undeliverable: %v", len(maps), undeliverable)
	}
	for _, m := range maps {
		if n := len(m.Data[key]) + len(key); n > corev1.MaxSecretSize {
			t.Errorf("%s has %d bytes", m.Name, n)
		}
	}
}

func TestAFileWithoutObjectsIsRefused(t *testing.T) {
	for name, content := range map[string]string{"comments": "# nothing\n", "no YAML": "a: b: c"} {
		files := written(t, content)
		if err := Chart(filepath.Join(t.TempDir(), "chart.tgz"), "1.0.0", files); err == nil {
			t.Errorf("%s: a chart was written", name)
		}
		if _, _, err := ConfigMaps("default", "x", files); err == nil {
			t.Errorf("%s: ConfigMaps were made", name)
		}
	}
}

func TestTheSizeOfAReleaseIsWhatHelmKeeps(t *testing.T) {
	files := written(t, manifests+sized("large", 200<<10))
	path := filepath.Join(t.TempDir(), "chart.tgz")
	if err := Chart(path, "1.0.0", files); err != nil {
		t.Fatal(err)
	}
	wanted, err := loader.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	install := action.NewInstall(action.NewConfiguration())
	install.DryRunStrategy, install.ReleaseName, install.Namespace = action.DryRunClient, "bundle", "default"
	made, err := install.RunWithContext(t.Context(), wanted, nil)
	if err != nil {
		t.Fatal(err)
	}
	secrets := fake.NewClientset().CoreV1().Secrets("default")
	if err := driver.NewSecrets(secrets).Create("bundle", made); err != nil {
		t.Fatal(err)
	}
	secret, err := secrets.Get(t.Context(), "bundle", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReleaseSize(files)
	const about = 600 // names, times and the like
	if kept := len(secret.Data["release"]); err != nil || got > kept || got < kept-about {
		t.Errorf("%d bytes, but Helm keeps %d; %v", got, kept, err)
	}
}

func TestAChartHasNoFileThatIsTooLargeForHelm(t *testing.T) {
	const third = 2 << 20
	path := filepath.Join(t.TempDir(), "chart.tgz")
	if err := Chart(path, "1.0.0", written(t, sized("a", third)+sized("b", third)+sized("c", third))); err != nil {
		t.Fatal(err)
	}
	chart, err := loader.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(chart.Templates) != 2 {
		t.Errorf("%d files with templates", len(chart.Templates))
	}
}
