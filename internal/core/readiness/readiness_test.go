package readiness_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// parsed returns the object of a YAML document with numbers as a client reads
// them: int64 where they are whole.
func parsed(tb testing.TB, document string) *unstructured.Unstructured {
	tb.Helper()
	text, err := yaml.YAMLToJSONStrict([]byte(document))
	if err != nil {
		tb.Fatalf("%v in\n%s", err, document)
	}
	obj := &unstructured.Unstructured{}
	if err := obj.UnmarshalJSON(text); err != nil {
		tb.Fatalf("%v in\n%s", err, document)
	}
	return obj
}
