package manifest

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// read returns the JSON of the objects of a text.
func read(t *testing.T, text string) []string {
	t.Helper()
	var result []string
	for object, err := range Objects(strings.NewReader(text), "a.yaml", DefaultLimits()) {
		if err != nil {
			t.Fatal(err)
		}
		checkForm(t, object)
		result = append(result, string(object.JSON))
	}
	return result
}

// minimal returns the JSON of a ConfigMap with a name and nothing else.
func minimal(name string) string {
	return `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"labels":{},"annotations":{},"name":"` + name + `"}}`
}

// document returns the YAML of minimal.
func document(name string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name + "\n"
}

func TestObjectsSplitsAsKubectlDoes(t *testing.T) {
	t.Parallel()
	a, b := minimal("a"), minimal("b")
	spread := strings.NewReplacer("{", "{\n", "}", "\n}", ",", ",\n\t")
	braces := strings.Replace(a, `labels":{`, `labels":{"x":"}]\"}"`, 1)
	tests := map[string]struct {
		given string
		want  []string
	}{
		"nothing":                         {"", nil},
		"blank lines":                     {"\n\n  \n", nil},
		"comments only":                   {"# one\n  # two\n---\n# three", nil},
		"separators only":                 {"---\n---\n--- # x\n", nil},
		"one document":                    {document("a"), []string{a}},
		"a document without a last line":  {strings.TrimSpace(document("a")), []string{a}},
		"two documents":                   {document("a") + "---\n" + document("b"), []string{a, b}},
		"a separator first and last":      {"---\n" + document("a") + "---\n", []string{a}},
		"a separator without a line end":  {document("a") + "---", []string{a}},
		"a comment behind a separator":    {document("a") + "--- # b\n" + document("b"), []string{a, b}},
		"a comment close to a separator":  {document("a") + "---#b\n" + document("b"), []string{a, b}},
		"spaces behind a separator":       {document("a") + "--- \t \n" + document("b"), []string{a, b}},
		"empty documents between":         {document("a") + "---\n\n---\n# x\n---\n" + document("b"), []string{a, b}},
		"a document that is null":         {document("a") + "---\nnull\n---\n~\n", []string{a}},
		"lines that end in CR and LF":     {crlf(document("a") + "---\n" + document("b")), []string{a, b}},
		"a byte order mark":               {"\ufeff" + document("a"), []string{a}},
		"a byte order mark and separator": {"\ufeff---\n" + document("a"), []string{a}},
		"an end marker":                   {document("a") + "...\n", []string{a}},
		"a document behind an end marker": {document("a") + "... # end\n" + document("b"), []string{a, b}},
		"a directive":                     {"%YAML 1.1\n---\n" + document("a"), []string{a}},
		"JSON":                            {a, []string{a}},
		"JSON values that follow":         {a + b, []string{a, b}},
		"JSON values on lines":            {a + "\n" + b + "\n", []string{a, b}},
		"JSON values and blank lines":     {"\n" + a + "\n\n\n" + b, []string{a, b}},
		"JSON values with separators":     {a + "\n---\n" + b, []string{a, b}},
		"JSON on many lines":              {spread.Replace(a), []string{a}},
		"JSON and YAML":                   {a + "\n---\n" + document("b") + "---\n" + a, []string{a, b, a}},
		"an array of JSON":                {"[" + a + ",\n" + b + "]", []string{a, b}},
		"an empty array":                  {"[]", nil},
		"brackets in JSON strings":        {braces, []string{braces}},
		"a flow mapping that is not JSON": {"{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}", []string{a}},
		"a flow mapping on many lines": {
			"{apiVersion: v1,\n kind: 'ConfigMap',\n metadata: {name: a\n}\n}\n", []string{a}},
		"a flow mapping with a brace text": {
			"{apiVersion: v1, x: '}'\n, kind: ConfigMap, metadata: {name: a}}",
			[]string{strings.TrimSuffix(a, "}") + `,"x":"}"}`}},
		"a sequence of YAML": {"- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n", []string{a}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, read(t, test.given)); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		})
	}
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func TestObjectsForm(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ given, want string }{
		"keys are sorted behind the first three": {
			"zoo: 1\nmetadata: {zoo: 1, name: a, annotations: {b: c}}\nkind: X\nabc: {z: 1, a: 2}\napiVersion: v1\n",
			`{"apiVersion":"v1","kind":"X","metadata":{"labels":{},"annotations":{"b":"c"},"name":"a","zoo":1},` +
				`"abc":{"a":2,"z":1},"zoo":1}`,
		},
		"labels come first and are sorted": {
			"apiVersion: v1\nkind: X\nmetadata: {annotations: {}, labels: {b: x, a: z}, name: a}\n",
			`{"apiVersion":"v1","kind":"X","metadata":{"labels":{"a":"z","b":"x"},"annotations":{},"name":"a"}}`,
		},
		"labels that are null are empty": {
			"apiVersion: v1\nkind: X\nmetadata: {labels: null, name: a}\n",
			`{"apiVersion":"v1","kind":"X","metadata":{"labels":{},"annotations":{},"name":"a"}}`,
		},
		"what a server wrote is left out": {
			"apiVersion: v1\nkind: X\nstatus: {a: b}\nspec: {status: kept}\nmetadata: {name: a, creationTimestamp: null, " +
				"deletionTimestamp: x, generation: 3, managedFields: [{}], resourceVersion: '1', selfLink: /x, uid: u, " +
				"ownerReferences: [{name: gone}], finalizers: [kept]}\n",
			`{"apiVersion":"v1","kind":"X","metadata":{"labels":{},"annotations":{},"finalizers":["kept"],"name":"a"},` +
				`"spec":{"status":"kept"}}`,
		},
		"membership of an ApplySet is left out": {
			"apiVersion: v1\nkind: X\nmetadata: {name: a, labels: {applyset.kubernetes.io/part-of: x, a: b}}\n",
			`{"apiVersion":"v1","kind":"X","metadata":{"labels":{"a":"b"},"annotations":{},"name":"a"}}`,
		},
		"metadata of a pod template stays": {
			"apiVersion: v1\nkind: X\nmetadata: {name: a}\ntemplate: {metadata: {creationTimestamp: null}}\n",
			`{"apiVersion":"v1","kind":"X","metadata":{"labels":{},"annotations":{},"name":"a"},` +
				`"template":{"metadata":{"creationTimestamp":null}}}`,
		},
		"numbers of YAML keep their value": {
			"apiVersion: v1\nkind: X\nmetadata: {name: a}\n" +
				"m: [0, -1, 0400, 0x1F, 9007199254740993, 18446744073709551615, -9223372036854775808, 1.5]\n" +
				"o: [1e3, 1e30, -0.0]\n",
			`{"apiVersion":"v1","kind":"X","metadata":{"labels":{},"annotations":{},"name":"a"},` +
				`"m":[0,-1,256,31,9007199254740993,18446744073709551615,-9223372036854775808,1.5],"o":[1000,1e+30,-0]}`,
		},
		"numbers of JSON keep their digits": {
			`{"apiVersion":"v1","kind":"X","metadata":{"name":"a"},"n":[123456789012345678901234567890,1.0,1E5,-0]}`,
			`{"apiVersion":"v1","kind":"X","metadata":{"labels":{},"annotations":{},"name":"a"},` +
				`"n":[123456789012345678901234567890,1.0,1E5,-0]}`,
		},
		"words of YAML 1.1 are booleans": {
			"apiVersion: v1\nkind: X\nmetadata: {name: a}\nb: [yes, off, 'yes', y, n]\n",
			`{"apiVersion":"v1","kind":"X","metadata":{"labels":{},"annotations":{},"name":"a"},"b":[true,false,"yes",true,false]}`,
		},
		"dates stay text": {
			"apiVersion: v1\nkind: X\nmetadata: {name: a}\nd: [2026-08-22, !!timestamp 2026-08-22]\n",
			`{"apiVersion":"v1","kind":"X","metadata":{"labels":{},"annotations":{},"name":"a"},"d":["2026-08-22","2026-08-22"]}`,
		},
		"keys that are no text become text": {
			"apiVersion: v1\nkind: X\nmetadata: {name: a}\nk: {1: a, true: b, 1.5: c, .inf: d, -.inf: e, .nan: f}\n",
			`{"apiVersion":"v1","kind":"X","metadata":{"labels":{},"annotations":{},"name":"a"},` +
				`"k":{"-.inf":"e",".inf":"d",".nan":"f","1":"a","1.5":"c","true":"b"}}`,
		},
		"nothing is escaped for HTML": {
			"apiVersion: v1\nkind: X\nmetadata: {name: a}\nt: \"<a href='x'>&\u2028é\"\n",
			`{"apiVersion":"v1","kind":"X","metadata":{"labels":{},"annotations":{},"name":"a"},"t":"<a href='x'>&` + "\u2028" + `é"}`,
		},
		"control characters are escaped": {
			"apiVersion: v1\nkind: X\nmetadata: {name: a}\nt: \"\\\"\\\\\\n\\r\\t\\0\\e\\x1f\"\n",
			`{"apiVersion":"v1","kind":"X","metadata":{"labels":{},"annotations":{},"name":"a"},"t":"\"\\\n\r\t\u0000\u001b\u001f"}`,
		},
		"separators in a block of text stay": {
			"apiVersion: v1\nkind: X\nmetadata: {name: a}\nt: |\n  a\n  ---\n  b\n  ...\n",
			`{"apiVersion":"v1","kind":"X","metadata":{"labels":{},"annotations":{},"name":"a"},"t":"a\n---\nb\n...\n"}`,
		},
		"a merge key may be overridden, an anchor defined twice": {
			"apiVersion: v1\nkind: X\nmetadata: {name: a}\nx: &m {p: 1, q: 2}\nv: {<<: *m, q: 3}\nz: &m [4]\nw: *m\n",
			`{"apiVersion":"v1","kind":"X","metadata":{"labels":{},"annotations":{},"name":"a"},` +
				`"v":{"p":1,"q":3},"w":[4],"x":{"p":1,"q":2},"z":[4]}`,
		},
		"a bare equals sign is text": {
			"apiVersion: v1\nkind: X\nmetadata: {name: a}\ne: [=, '!=']\n",
			`{"apiVersion":"v1","kind":"X","metadata":{"labels":{},"annotations":{},"name":"a"},"e":["=","!="]}`,
		},
		"annotations that are null stay": {
			"apiVersion: v1\nkind: X\nmetadata: {name: a, annotations: {b: }}\n",
			`{"apiVersion":"v1","kind":"X","metadata":{"labels":{},"annotations":{"b":null},"name":"a"}}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff([]string{test.want}, read(t, test.given)); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		})
	}
}

func TestObjectsTakesListsApart(t *testing.T) {
	t.Parallel()
	a, b := minimal("a"), minimal("b")
	items := strings.Replace(a, "}}", `},"items":[1]}`, 1)
	tests := map[string]struct {
		given string
		want  []string
	}{
		"a List":          {`{"apiVersion":"v1","kind":"List","items":[` + a + "," + b + "]}", []string{a, b}},
		"a list of kind":  {`{"apiVersion":"v1","kind":"ConfigMapList","items":[` + a + "]}", []string{a}},
		"an empty List":   {`{"apiVersion":"v1","kind":"List","items":[]}`, nil},
		"a List of null":  {`{"apiVersion":"v1","kind":"List","items":null}`, nil},
		"lists in lists":  {`[{"kind":"List","items":[` + a + "," + b + "]}," + a + "]", []string{a, b, a}},
		"a List in YAML":  {"apiVersion: v1\nkind: List\nitems:\n- " + a + "\n---\n" + b, []string{a, b}},
		"a kind FooList":  {listLike("5"), []string{listLike("5")}},
		"items of no use": {items, []string{items}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, read(t, test.given)); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		})
	}
}

// listLike returns an object whose kind ends in List but which is none.
func listLike(items string) string {
	return `{"apiVersion":"x.org/v1","kind":"AllowList","metadata":{"labels":{},"annotations":{},"name":"a"},"items":` + items + `}`
}

func TestObjectsTellsPlaces(t *testing.T) {
	t.Parallel()
	text := "# licence\n\n---\n# about\n" + document("a") + "---\n---\n" +
		minimal("b") + minimal("c") + "\n" + minimal("d") + "\n---\n" +
		"\nkind: List\napiVersion: v1\nitems:\n- " + minimal("e") + "\n- [" + minimal("f") + "]\n---\n" + document("g")
	var got []string
	for object, err := range Objects(strings.NewReader(text), "a.yaml", DefaultLimits()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, object.Name+": "+object.Place.String())
	}
	want := []string{
		"a: a.yaml, document 1 (line 5)",
		"b: a.yaml, document 2 (line 11)",
		"c: a.yaml, document 3 (line 11)",
		"d: a.yaml, document 4 (line 12)",
		"e: a.yaml, document 5, item 1 (line 15)",
		"f: a.yaml, document 5, item 2 (line 15)",
		"g: a.yaml, document 6 (line 21)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
}

func TestObjectsReadsRef(t *testing.T) {
	t.Parallel()
	text := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: ns}\n---\n" +
		"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: 'system:a b'}\n"
	var got []Ref
	for object, err := range Objects(strings.NewReader(text), "a.yaml", DefaultLimits()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, object.Ref)
	}
	want := []Ref{
		{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "ns", Name: "a"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole", Name: "system:a b"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refs (-want +got):\n%s", diff)
	}
}

// TestObjectsReadsInSmallPieces reads one byte at a time, and long lines.
func TestObjectsReadsInSmallPieces(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 3*lineBuffer)
	text := "# " + long + "\n" + document("a") + "data: {a: " + long + "}\n---\n" + document("b")
	var names []string
	for object, err := range Objects(iotest.OneByteReader(strings.NewReader(text)), "a.yaml", DefaultLimits()) {
		if err != nil {
			t.Fatal(err)
		}
		if object.Name == "a" && !bytes.Contains(object.JSON, []byte(long)) {
			t.Error("the long line is not there")
		}
		names = append(names, object.Name)
	}
	if !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("names = %v", names)
	}
}

func TestObjectsStopsWhenNoMoreAreWanted(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		document("a") + "---\nbroken: [\n",
		"[" + minimal("a") + "," + minimal("b") + "]\n---\nbroken: [\n",
		minimal("a") + minimal("b") + "\n---\nbroken: [\n",
	} {
		count := 0
		for _, err := range Objects(strings.NewReader(text), "a.yaml", DefaultLimits()) {
			if err != nil {
				t.Fatal(err)
			}
			count++
			break
		}
		if count != 1 {
			t.Errorf("%d objects, want 1", count)
		}
	}
}

func TestObjectsPassesOnTheErrorOfTheReader(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection reset")
	reader := iotest.DataErrReader(&failing{text: document("a") + "---\n" + document("b"), err: cause})
	var names []string
	var failed error
	for object, err := range Objects(reader, "a.yaml", DefaultLimits()) {
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		names = append(names, object.Name)
	}
	if !slices.Equal(names, []string{"a"}) {
		t.Errorf("names = %v, want only the document that is complete", names)
	}
	if !errors.Is(failed, cause) || !strings.Contains(failed.Error(), "a.yaml") {
		t.Errorf("error = %v", failed)
	}
}

// failing is a reader that ends in an error.
type failing struct {
	text string
	err  error
}

// Read implements io.Reader.
func (f *failing) Read(p []byte) (int, error) {
	if f.text == "" {
		return 0, f.err
	}
	n := copy(p, f.text)
	f.text = f.text[n:]
	return n, nil
}
