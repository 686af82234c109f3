package test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

var example = regexp.MustCompile("(?s)```yaml\n(.*?)```")

func TestTheExamplesOfTheDocumentationAreAccepted(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	management := testenv.SharedManagement(t)
	strict := client.NewDryRunClient(client.WithFieldValidation(management.Client, metav1.FieldValidationStrict))
	pages, err := filepath.Glob("../docs/*.md")
	g.Expect(err).NotTo(HaveOccurred())
	accepted := 0
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		g.Expect(err).NotTo(HaveOccurred())
		for _, found := range example.FindAllSubmatch(text, -1) {
			object := exampleOf(g, string(found[1]))
			if object == nil {
				continue
			}
			g.Expect(strict.Create(t.Context(), object)).To(Succeed(), "%s:\n%s", page, found[1])
			accepted++
		}
	}
	g.Expect(accepted).To(BeNumerically(">", 5))
}

// exampleOf returns the object that an example is, or is a part of: of a Bundle, of its
// spec, of a phase or of a source. It is nil for what is none of these.
func exampleOf(g *WithT, text string) client.Object {
	var part map[string]any
	text = strings.ReplaceAll(text, "sha256:…", "sha256:"+strings.Repeat("0", 64))
	g.Expect(yaml.Unmarshal([]byte(text), &part)).To(Succeed(), text)
	if part["kind"] != nil {
		return named(part)
	}
	phase := map[string]any{"name": "all", "sources": []any{part}}
	spec := map[string]any{"releases": []any{map[string]any{"version": "1.0.0", "phases": []any{phase}}}}
	switch whole, _ := part["spec"].(map[string]any); {
	case whole != nil:
		phase["sources"] = []any{map[string]any{"inline": map[string]any{"manifests": "a: b"}}}
		maps.Copy(spec, whole)
	case part["sources"] != nil:
		maps.Copy(phase, part)
	case part["helm"] != nil:
		chart := map[string]any{
			"chart": "oci://registry.example.com/charts/web", "version": "1.0.0", "releaseName": "web", "namespace": "web",
		}
		maps.Copy(chart, part["helm"].(map[string]any))
		part["helm"] = chart
	case part["https"] == nil && part["oci"] == nil:
		return nil
	}
	return named(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Bundle", "metadata": map[string]any{"name": "example"}, "spec": spec,
	})
}

func named(content map[string]any) client.Object {
	object := &unstructured.Unstructured{Object: content}
	object.SetNamespace(metav1.NamespaceDefault)
	return object
}
