package main

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// documents splits a generated file.
func documents(content []byte) []string {
	return strings.Split(strings.TrimPrefix(string(content), "---\n"), "\n---\n")
}

// generatedCRDs decodes the generated CRDs; what the type does not know is an error.
func generatedCRDs(t *testing.T) []*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	var crds []*apiextensionsv1.CustomResourceDefinition
	for i, document := range documents(generateCRDs()) {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict([]byte(document), crd); err != nil {
			t.Fatalf("CRD %d: %v", i, err)
		}
		crds = append(crds, crd)
	}
	return crds
}

func TestGeneratedCRDsHaveTheSizesOfCalico(t *testing.T) {
	t.Parallel()
	content := generateCRDs()
	var sizes []int
	for i, text := range regexp.MustCompile(`(?m)^---\n`).Split(string(content), -1) {
		if i > 0 {
			sizes = append(sizes, len("---\n")+len(text))
		}
	}
	if diff := cmp.Diff(crdSizes, sizes); diff != "" {
		t.Errorf("bytes of each CRD (-want +got):\n%s", diff)
	}
	if len(sizes) != 32 {
		t.Errorf("want 32 CRDs, got %d", len(sizes))
	}
	if n := len(content); n < 3_000_000 || n > 3_100_000 {
		t.Errorf("want about 3 MB, got %d bytes", n)
	}
}

func TestGeneratedCRDsAreWhatAnAPIServerAccepts(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, crd := range generatedCRDs(t) {
		apiextensionsv1.SetObjectDefaults_CustomResourceDefinition(crd)
		apiextensionsv1.SetDefaults_CustomResourceDefinitionSpec(&crd.Spec)
		internal := &apiextensions.CustomResourceDefinition{}
		if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(
			crd, internal, nil); err != nil {
			t.Fatalf("%s: %v", crd.Name, err)
		}
		if errs := validation.ValidateCustomResourceDefinition(t.Context(), internal); len(errs) != 0 {
			t.Errorf("%s: %v", crd.Name, errs.ToAggregate())
		}
		if names[crd.Name] {
			t.Errorf("%s is there twice", crd.Name)
		}
		names[crd.Name] = true
	}
}

func TestGeneratedFilesAreTheSameEveryTime(t *testing.T) {
	t.Parallel()
	first, second := generate(), generate()
	if diff := cmp.Diff(first.object, second.object); diff != "" {
		t.Errorf("bundle (-first +second):\n%s", diff)
	}
	for _, source := range first.sources() {
		file := source.URL[strings.LastIndex(source.URL, "/")+1:]
		want := fmt.Sprintf("sha256:%x", sha256.Sum256(first.files[file]))
		if len(first.files[file]) == 0 || string(source.Digest) != want {
			t.Errorf("%s with %d bytes: want %s, got %s", file, len(first.files[file]), want, source.Digest)
		}
	}
	if len(first.sources()) != len(first.files) {
		t.Errorf("%d sources name %d files", len(first.sources()), len(first.files))
	}
}

func TestGeneratedCustomResourcesAreOfGeneratedKinds(t *testing.T) {
	t.Parallel()
	kinds := map[string]bool{}
	for _, crd := range generatedCRDs(t) {
		kinds[crd.Spec.Group+"/v1/"+crd.Spec.Names.Kind] = true
	}
	b := generate()
	for _, document := range documents(b.files["custom-resources.yaml"]) {
		u := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict([]byte(document), &u.Object); err != nil {
			t.Fatal(err)
		}
		if key := u.GetAPIVersion() + "/" + u.GetKind(); !kinds[key] || u.GetName() == "" {
			t.Errorf("%s %q is of no generated kind", key, u.GetName())
		}
	}
	awaited := b.awaited()
	if awaited == nil || !kinds[awaited.APIVersion+"/"+awaited.Kind] {
		t.Errorf("the last phase waits for %v, which is of no generated kind", awaited)
	}
}

func TestGeneratedOperatorHasItsDeployment(t *testing.T) {
	t.Parallel()
	var kinds []string
	for _, document := range documents(generate().files["operator.yaml"]) {
		u := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict([]byte(document), &u.Object); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, u.GetKind())
	}
	want := []string{"Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Deployment"}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
}
