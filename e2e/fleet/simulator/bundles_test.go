package simulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// published are releases of the catalogue.
var published = []struct{ bundle, version string }{{"calico", "3.32.1"}, {"logging-operator-edge", "6.7.0"}}

// document is an object of a bundle.
type document struct {
	body   string
	object *unstructured.Unstructured
}

// documentsOf returns the objects of a release, but for those of charts, with their
// phases in order.
func documentsOf(t testing.TB, bundle, version string) (documents []document) {
	t.Helper()
	b, err := testenv.Catalogue(bundle)
	if err != nil {
		t.Fatal(err)
	}
	for _, release := range b.Spec.Releases {
		if release.Version != version {
			continue
		}
		for _, phase := range release.Phases {
			for _, source := range phase.Sources {
				if source.HTTPS == nil {
					continue
				}
				file, err := testenv.CatalogueFile(t.Context(), source.HTTPS.URL, string(source.HTTPS.Digest))
				if err != nil {
					t.Skip(err)
				}
				documents = append(documents, documentsIn(t, file)...)
			}
		}
	}
	return documents
}

func documentsIn(t testing.TB, file string) (documents []document) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content))); ; {
		text, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := yaml.YAMLToJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		object := &unstructured.Unstructured{}
		if json.Unmarshal(body, &object.Object) != nil || object.GetName() == "" {
			continue // It holds comments only.
		}
		annotations := object.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[ownedAnnotation] = "of the bytes"
		object.SetAnnotations(annotations)
		if body, err = json.Marshal(object); err != nil {
			t.Fatal(err)
		}
		documents = append(documents, document{string(body), object})
	}
}

// pathOf returns the path of an object, for which it waits until both serve its kind.
func pathOf(t testing.TB, simulated, real *peer, d document) string {
	t.Helper()
	kind := d.object.GroupVersionKind()
	for gvr, r := range theBuiltIns().resources {
		if gvr.GroupVersion() == kind.GroupVersion() && r.kind == kind.Kind {
			return placeOf(d, "/apis/"+kind.GroupVersion().String(), r.plural, r.namespaced)
		}
	}
	gv := "/apis/" + kind.GroupVersion().String()
	simulated.waitServed(t, gv)
	real.waitServed(t, gv)
	_, content := real.send(t, call{"GET", gv, "", "", ""})
	list := &metav1.APIResourceList{}
	if err := json.Unmarshal(content, list); err != nil {
		t.Fatal(err)
	}
	for _, r := range list.APIResources {
		if r.Kind == kind.Kind && !strings.Contains(r.Name, "/") {
			return placeOf(d, gv, r.Name, r.Namespaced)
		}
	}
	t.Fatalf("%s serves no %s", gv, kind.Kind)
	return ""
}

func placeOf(d document, gv, plural string, namespaced bool) string {
	gv = strings.Replace(gv, "/apis/v1", "/api/v1", 1)
	if namespaced {
		gv += "/namespaces/" + d.object.GetNamespace()
	}
	return gv + "/" + plural + "/" + d.object.GetName()
}

func TestPublishedBundlesAreAppliedAsByARealAPIServer(t *testing.T) {
	t.Parallel()
	simulated, real := peers(t)
	for _, release := range published {
		t.Run(release.bundle, func(t *testing.T) {
			documents := documentsOf(t, release.bundle, release.version)
			if len(documents) < 10 {
				t.Fatalf("want the objects of a bundle, got %d", len(documents))
			}
			paths := make([]string, len(documents))
			for i, d := range documents {
				paths[i] = pathOf(t, simulated, real, d)
				apply := call{"PATCH", paths[i] + "?force=true&fieldManager=caapb.default.set", applyJSON, asMetadata, d.body}
				if done := both(t, simulated, real, apply); done.Code != http.StatusCreated {
					t.Errorf("want a real API server to make %s, got %d", paths[i], done.Code)
				}
			}
			for i, d := range documents {
				settled(t, simulated, real, call{"GET", paths[i], "", asMetadata, ""})
				if i%8 == 0 { // Each takes a real API server as long as the first.
					both(t, simulated, real, call{"PATCH", paths[i] + "?fieldManager=other", applyJSON, "", contested(t, d)})
				}
			}
		})
	}
}

// settled waits until both say the same of an object that controllers change.
func settled(t testing.TB, simulated, real *peer, c call) {
	t.Helper()
	diff := ""
	defer func() {
		if diff != "" {
			t.Errorf("%s (-real +simulated):\n%s", c.path, diff)
		}
	}()
	testenv.Eventually(t, "both say the same of "+c.path, func() bool {
		diff = cmp.Diff(real.ask(t, c), simulated.ask(t, c))
		return diff == ""
	})
}

// contested returns the body of an object of which somebody else wants something else.
func contested(t testing.TB, d document) string {
	t.Helper()
	other := d.object.DeepCopy()
	other.SetAnnotations(map[string]string{ownedAnnotation: "another"})
	body, err := json.Marshal(other)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// ownedAnnotation is one that every object gets, as from the provider.
const ownedAnnotation = "addons.cluster.x-k8s.io/sha256"
