//go:build !no_helm

package helm_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// Whatever a hook is written as, it is the object that it would be without its mark.
func TestTheContentOfAHookStaysAsItIs(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations: {helm.sh/hook: pre-install}\n"
	tests := map[string]string{
		"a folded text with deeper lines": head + "data:\n  a: >\n    if x\n      then y\n    fi\n\n    end\n",
		"a folded text with empty lines":  head + "data:\n  a: >+\n    x\n\n\n  b: z\n",
		"a long folded text":              head + "data:\n  a: >-\n    " + strings.Repeat("word ", 50) + "\n    end\n",
		"a literal text":                  head + "data:\n  a: |2\n      x   \n    \ty\n\n",
		"an anchor for its annotations": "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: a\n" +
			"  annotations: &a {helm.sh/hook: pre-install}\nspec: {template: {metadata: {annotations: *a}}}\n",
		"an alias as its annotations": "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n" +
			"  labels: &a {helm.sh/hook: pre-install}\n  annotations: *a\n",
		"numbers and words of YAML 1.1": head + "data: {a: 0777, b: yes, c: 1_000, d: 0o17, e: 1.10, f: 9007199254740993}\n",
		"comments, numbers and quotes":  "# why\n" + head + "spec:\n  count: 12345678\n  text: \"007\"\n  script: |\n    echo # 1\n",
		"JSON":                          `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a","annotations":{"helm.sh/hook":"pre-install","x":"<>&"}}}`,
	}
	for name, given := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rendered, err := render(t, files{"templates/x.yaml": given}.with(nil), options(nil))
			if err != nil {
				t.Fatal(err)
			}
			want, got := objectIn(t, given), objectIn(t, rendered)
			if diff := cmp.Diff(string(want.JSON), string(got.JSON)); diff != "" || got.Hook == nil {
				t.Errorf("want a hook with this content (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAllOfAListThatIsAHookAreHooks(t *testing.T) {
	t.Parallel()
	given := "apiVersion: v1\nkind: List\nmetadata: {annotations: {helm.sh/hook: pre-install}}\nitems:\n" +
		"- {apiVersion: v1, kind: Secret, metadata: {name: a}}\n" +
		"- {apiVersion: v1, kind: Secret, metadata: {name: b, annotations: {c: d}}}\n"
	rendered, err := render(t, files{"templates/x.yaml": given}.with(nil), options(nil))
	if err != nil {
		t.Fatal(err)
	}
	hooks := 0
	for object, err := range manifest.Objects(strings.NewReader(rendered), "x", manifest.DefaultLimits()) {
		if err != nil || object.Hook == nil || object.Hook.Install != manifest.Before {
			t.Fatalf("want a hook, got %s with %v, %v", object.JSON, object.Hook, err)
		}
		hooks++
	}
	if hooks != 2 {
		t.Errorf("want two hooks, got %d", hooks)
	}
}

// objectIn returns the only object of a stream.
func objectIn(t *testing.T, text string) manifest.Object {
	t.Helper()
	var found []manifest.Object
	for object, err := range manifest.Objects(strings.NewReader(text), "x", manifest.DefaultLimits()) {
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		object.JSON = append([]byte(nil), object.JSON...)
		found = append(found, object)
	}
	if len(found) != 1 {
		t.Fatalf("want one object, got %d in\n%s", len(found), text)
	}
	return found[0]
}
