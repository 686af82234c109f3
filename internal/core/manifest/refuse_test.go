package manifest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// refusal returns the error that a text ends in. It fails the test when the
// sequence goes on behind it, or when the error has the wrong class.
func refusal(t *testing.T, text string, limits Limits) error {
	t.Helper()
	var refused error
	for _, err := range Objects(strings.NewReader(text), "a.yaml", limits) {
		if refused != nil {
			t.Fatalf("the sequence goes on behind %v", refused)
		}
		refused = err
	}
	if refused == nil {
		t.Fatal("no error")
	}
	if fault.ClassOf(refused) != fault.ClassStall {
		t.Errorf("class = %v, want Stall: %v", fault.ClassOf(refused), refused)
	}
	if len(refused.Error()) > 1024 || strings.Contains(refused.Error(), "\n") {
		t.Errorf("the message is long or has lines: %s", refused)
	}
	return refused
}

func TestObjectsRefuses(t *testing.T) {
	t.Parallel()
	const (
		first = "a.yaml, document 1 (line 1): "
		only  = "a.yaml, document 1 (line 2): only a comment may follow "
	)
	named := func(more string) string { return "apiVersion: v1\nkind: X\nmetadata: {name: a}\n" + more }
	withMetadata := func(metadata string) string { return "apiVersion: v1\nkind: X\nmetadata: " + metadata + "\n" }
	tests := map[string]struct{ given, want string }{
		"what is not YAML": {
			"# x\n\na: b\nc: [\n", "a.yaml, document 1 (line 3): not YAML: line 4: did not find expected node content",
		},
		"a template": {"{{ .Values.x }}\n", first + "not YAML: invalid map key: map[interface {}]interface {}{"},
		"JSON that is cut off": {
			`{"apiVersion":"v1","kind":"X"`, first + "not YAML: line 1: did not find expected ',' or '}'"},
		"text":                   {"hello\n", first + "not an object but text"},
		"a number":               {"5\n", first + "not an object but a number"},
		"a boolean":              {"true\n", first + "not an object but a boolean"},
		"JSON null in an array":  {"[null]\n", "a.yaml, document 1, item 1 (line 1): not an object but null"},
		"no apiVersion":          {"kind: X\nmetadata: {name: a}\n", first + "apiVersion is missing"},
		"apiVersion null":        {"apiVersion: ~\nkind: X\nmetadata: {name: a}\n", first + "apiVersion is missing"},
		"apiVersion not text":    {"apiVersion: 1\nkind: X\n", first + "apiVersion is a number and not text"},
		"apiVersion two slashes": {"apiVersion: a/b/c\nkind: X\nmetadata: {name: a}\n", first + `the version "b/c": only`},
		"apiVersion no group":    {"apiVersion: /v1\nkind: X\n", first + `apiVersion "/v1" is not a group and a version`},
		"apiVersion no version":  {"apiVersion: a/\nkind: X\n", first + `apiVersion "a/" is not a group and a version`},
		"apiVersion as path":     {"apiVersion: ../v1\nkind: X\nmetadata: {name: a}\n", first + `the group "..": only`},
		"no kind":                {"apiVersion: v1\nmetadata: {name: a}\n", first + "kind is missing"},
		"kind not text":          {"apiVersion: v1\nkind: [a]\n", first + "kind is a sequence and not text"},
		"kind with a space":      {"apiVersion: v1\nkind: a b\nmetadata: {name: a}\n", first + `kind "a b": only letters`},
		"no metadata":            {"apiVersion: v1\nkind: X\n", first + "X: metadata.name is missing"},
		"metadata not a mapping": {withMetadata("[]"), first + "X: metadata is a sequence and not a mapping"},
		"no name":                {withMetadata("{}"), first + "X: metadata.name is missing"},
		"an empty name":          {withMetadata("{name: ''}"), first + "X: metadata.name is missing"},
		"a name that is a number": {
			withMetadata("{name: 5}"), first + "X: metadata.name is a number and not text"},
		"a generateName that is no text": {withMetadata("{generateName: 5}"), first + "X: metadata.name is missing"},
		"stringData that is no mapping": {
			"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: text\n",
			first + "Secret a: stringData is text and not a mapping"},
		"stringData with a number": {
			"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {port: 80}\n",
			first + `Secret a: stringData: the value of "port" is a number and not text`},
		"a name with a slash": {withMetadata("{name: a/b}"), first + `metadata.name "a/b" cannot be part of a request path`},
		"a name with percent": {withMetadata("{name: a%2f}"), first + `metadata.name "a%2f" cannot be part of a request path`},
		"a name of two dots":  {withMetadata("{name: ..}"), first + `metadata.name ".." cannot be part of a request path`},
		"a name with a line":  {withMetadata(`{name: "a\nb"}`), first + `metadata.name "a\nb" cannot be part of a request path`},
		"a name that is long": {withMetadata("{name: " + strings.Repeat("a", 254) + "}"), first + `metadata.name "aaa`},
		"namespace not text":  {withMetadata("{name: a, namespace: 1}"), first + "X a: metadata.namespace is a number"},
		"namespace as path": {
			withMetadata("{name: a, namespace: b/c}"), first + `metadata.namespace "b/c": only`},
		"labels not a mapping": {
			withMetadata("{name: a, labels: []}"), first + "X a: metadata.labels is a sequence and"},
		"a label of true": {
			withMetadata("{name: a, labels: {z: 1, b: true}}"),
			first + `X a: metadata.labels: the value of "b" is a boolean and not text`},
		"an annotation of 5": {
			withMetadata("{name: a, annotations: {b: 5}}"),
			first + `X a: metadata.annotations: the value of "b" is a number and not text`},
		"an annotation of a mapping": {
			withMetadata("{name: a, annotations: {b: {}}}"),
			first + `X a: metadata.annotations: the value of "b" is a mapping and not text`},
		"a key that is duplicated": {
			named("a: 1\nb: 2\na: 3\n"), first + `not YAML: line 6: key "a" already set in map`},
		"a key that is duplicated in JSON": {`{"kind":"X","kind":"Y"}`, first + `key "kind" is duplicated in an object`},
		"a key as number and as text": {
			named("a: {1: a, '1': b}\n"), first + `key "1" is duplicated in a mapping`},
		"a key that is duplicated deep in JSON": {
			`{"a":[{"b":{"c":1,"c":2}}]}`, first + `key "c" is duplicated in an object`},
		"a key that is null":          {named("a: {~: b}\n"), first + "a key of a mapping that is neither text nor"},
		"a key that is a sequence":    {named("? [a]\n: b\n"), first + "not YAML: invalid map key: "},
		"a key that is binary":        {named("? !!binary /w==\n: b\n"), first + "a key that is not UTF-8 text"},
		"a binary value":              {named("a: !!binary /w==\n"), first + "a string that is not UTF-8 text"},
		"a number that is infinite":   {named("a: -.inf\n"), first + "X a: the number -.inf, which JSON does not have"},
		"an alias without an anchor":  {named("a: *b\n"), first + "not YAML: unknown anchor 'b' referenced"},
		"an alias inside its anchor":  {named("a: &b [*b]\n"), first + "not YAML: anchor 'b' value contains itself"},
		"text that is not UTF-8":      {"a: b\nc: \xff\n", "a.yaml, document 1 (line 2): not UTF-8 text"},
		"a comment that is not UTF-8": {"# \xff\n", first + "not UTF-8 text"},
		"UTF-16":                      {"\xff\xfea\x00\n", first + "not UTF-8 text"},
		"two keys that are wrong": {
			named("a: {1: a, '1': b, ~: c}\n"), first + "a key of a mapping that is neither text nor"},
		"a key that is a large number": {
			named("18446744073709551615: a\n"), first + "a key of a mapping that is neither text nor"},
		"a word that begins with dots": {"....\n", first + "not an object but text"},
		"a NUL byte":                   {"a: b\x00\n", first + "a NUL byte in the text"},
		"content behind a separator":   {"a: b\n--- c\n", only + `--- on its line, not "c"`},
		"more than three dashes":       {"a: b\n-----\n", only + `--- on its line, not "--"`},
		"content behind an end marker": {"a: b\n... c\n", only + `... on its line, not "c"`},
		"a broken second document": {
			document("a") + "---\n\nkind: X\n", "a.yaml, document 2 (line 7): apiVersion is missing"},
		"a broken second JSON value": {
			minimal("a") + `{"kind":"X"}`, "a.yaml, document 2 (line 1): apiVersion is missing"},
		"an item that is no object": {
			"kind: List\nitems: [5]\n", "a.yaml, document 1, item 1 (line 1): not an object but a number"},
		"an item without a kind": {
			`{"apiVersion":"v1","kind":"ConfigMapList","items":[` + minimal("a") + `,{"metadata":{"name":"b"}}]}`,
			"a.yaml, document 1, item 2 (line 1): apiVersion is missing"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := refusal(t, test.given, DefaultLimits())
			if got := fault.ReasonOf(err, ""); got != v1alpha1.ManifestInvalidReason {
				t.Errorf("reason = %s, want %s", got, v1alpha1.ManifestInvalidReason)
			}
			if !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("message = %s\nwant %s", err, test.want)
			}
		})
	}
}

func TestObjectsRefusesWhatIsOverALimit(t *testing.T) {
	t.Parallel()
	limits := Limits{Object: 1000, Objects: 3, Nesting: 5, Nodes: 100}
	flow := "apiVersion: v1\nkind: X\nmetadata: {name: a}\n"
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := map[string]struct{ given, want string }{
		"a document that is too large": {
			document("a") + "---\n" + strings.Repeat("# 45678901234567\n", 20) + "a: b\n" + strings.Repeat("#", 3998) + "\n",
			"a.yaml, document 2 (line 26): the document is larger than 4000 bytes"},
		"a line that is too large": {
			"#" + strings.Repeat(" ", 2*lineBuffer), "a.yaml, document 1 (line 1): the document is larger than 4000 bytes"},
		"an object that is too large": {
			flow + "data: " + strings.Repeat("a", 1000) + "\n",
			"a.yaml, document 1 (line 1): the object is larger than 1000 bytes as JSON"},
		"more than three objects": {
			strings.Repeat("---\n"+document("a"), 4), "a.yaml, document 4 (line 17): more than 3 objects"},
		"more than three objects in a list": {
			"[" + strings.Repeat(minimal("a")+",", 3) + minimal("a") + "]",
			"a.yaml, document 1, item 4 (line 1): more than 3 objects"},
		"YAML that is too deep": {
			flow + "a: " + deep(5), "a.yaml, document 1 (line 1): more than 5 mappings and sequences inside each other"},
		"mappings that are too deep": {
			flow + "a: {b: {c: {d: {e: {}}}}}\n",
			"a.yaml, document 1 (line 1): more than 5 mappings and sequences inside each other"},
		"YAML with too many nodes": {
			flow + "a: [" + strings.Repeat("{b},", 50) + "]\n",
			"a.yaml, document 1 (line 1): the document has more than 100 keys, values, mappings and sequences"},
		"JSON with too many nodes": {
			`[` + strings.Repeat(`{"a":0},`, 34) + `{}]`,
			"a.yaml, document 1 (line 1): the document has more than 100 keys, values, mappings and sequences"},
		"JSON that is too deep": {
			`{"a":` + deep(5) + "}", "a.yaml, document 1 (line 1): more than 5 mappings and sequences inside each other"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := refusal(t, test.given, limits)
			if got := fault.ReasonOf(err, ""); got != v1alpha1.LimitExceededReason {
				t.Errorf("reason = %s, want %s", got, v1alpha1.LimitExceededReason)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

func TestObjectsAcceptsWhatIsAtALimit(t *testing.T) {
	t.Parallel()
	frame := `{"apiVersion":"v1","kind":"X","metadata":{"labels":{},"annotations":{},"name":"a"},"a":"","b":[[[[]]]]}`
	object := strings.Replace(frame, `"a":""`, `"a":"`+strings.Repeat("x", 200-len(frame))+`"`, 1)
	limits := Limits{Object: 200, Objects: 4, Nesting: 5, Nodes: 20}
	count := 0
	for got, err := range Objects(strings.NewReader(strings.Repeat(object, 3)+"\n"+object), "a.yaml", limits) {
		if err != nil {
			t.Fatal(err)
		}
		if string(got.JSON) != object {
			t.Errorf("object = %s", got.JSON)
		}
		count++
	}
	if count != 4 {
		t.Errorf("%d objects, want 4", count)
	}
}

// TestObjectsRefusesBombs gives small documents that grow or nest when they are
// decoded.
func TestObjectsRefusesBombs(t *testing.T) {
	t.Parallel()
	const lead = "apiVersion: v1\nkind: X\nmetadata: {name: a}\n"
	var laughs, shares strings.Builder
	laughs.WriteString(lead + "l0: &l0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n")
	for i := range 12 {
		fmt.Fprintf(&laughs, "l%d: &l%d [%s*l%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*l%d, ", i), 9), i)
	}
	shares.WriteString(lead + "s: &s " + strings.Repeat("x", 1<<16) + "\nt: [*s")
	shares.WriteString(strings.Repeat(",*s", 10_000) + "]\n")
	tests := map[string]struct{ given, want string }{
		"a billion laughs":            {laughs.String(), "not YAML: document contains excessive aliasing"},
		"a large text many times":     {shares.String(), "the object is larger than 3145728 bytes as JSON"},
		"a million brackets":          {lead + "a: " + strings.Repeat("[", 1_000_000), "more than 200000 keys"},
		"a million JSON brackets":     {strings.Repeat("[", 1_000_000) + strings.Repeat("]", 1_000_000), "more than 200000 keys"},
		"a hundred thousand brackets": {lead + "a: " + strings.Repeat("[", 100_000), "exceeded max depth of 10000"},
		"a million YAML nodes":        {lead + "a: [" + strings.Repeat("{b},", 333_333) + "]", "more than 200000 keys"},
		"a million JSON nodes":        {"[" + strings.Repeat("{},", 1_000_000) + "{}]", "more than 200000 keys"},
		"ten thousand indents":        {lead + "a:\n" + strings.Repeat("- ", 20_000) + "b\n", "exceeded max depth of 10000"},
		"a thousand JSON brackets":    {strings.Repeat("[", 1000) + strings.Repeat("]", 1000), "more than 100 mappings"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := refusal(t, test.given, DefaultLimits()); !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %s, want %s", err, test.want)
			}
		})
	}
}
