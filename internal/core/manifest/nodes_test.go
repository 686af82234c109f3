package manifest

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v2"
)

// nodesOf counts the nodes of a decoded value.
func nodesOf(value any) int {
	count := 1
	switch v := value.(type) {
	case map[any]any:
		for key, item := range v {
			count += nodesOf(key) + nodesOf(item)
		}
	case []any:
		for _, item := range v {
			count += nodesOf(item)
		}
	}
	return count
}

func TestNodesAreCountedInTheText(t *testing.T) {
	t.Parallel()
	for name, given := range map[string]string{
		"a mapping":                          "a: b\nc:\n  d: e\n",
		"sequences":                          "a:\n- b\n-\n- - c\n  - d\n",
		"mappings in a sequence":             "- a: b\n  c: d\n- e: f\n",
		"flow collections":                   "a: [b, {c: d, e}, [], {}, [f: g, h]]\n",
		"flow collections over lines":        "a: [b,\n\n  {c: d,\n e: f}, # g, [h]\n  i]\n",
		"a key that is a mapping's end":      "{a: b}",
		"JSON":                               `{"a":[1,2,{"b":"c: [d, e]"}],"f":null}`,
		"values that are missing":            "a:\nb:\nc: {d: , e}\n",
		"single quotes":                      "a: 'b '' [c, d] {e}'\n'f': 'g\n\n  [h, i]'\n",
		"double quotes":                      "a: \"b \\\" [c, d]\\\\\"\n\"e\": \"f\n  {g: h}\"\n",
		"quotes inside of text":              "a: b \"c [d\ne: f' {g\nh: i\n  \"j\nk: [l, m]\n",
		"text over lines":                    "a: b\n  - c\n  [d, e]\n  'f\ng: h\n",
		"text over lines in a sequence":      "- a\n  \"b\n- {c: d}\n",
		"text over lines in a flow":          "[a\n \"b, c]\n",
		"text up to a comment":               "a: b # \"c\nd: [e] # {f\n",
		"a URL":                              "a: [http://b/c:d, e#f]\ng: http://h?i=[j]\n",
		"a literal":                          "a: |\n  b: [c]\n  - d\n\n  \"e\nf: g\n",
		"a folded text":                      "a:\n- b: >-2 # c\n     d: e\n\n    f: g\n  h: i\n- |+\n j: k\n",
		"a literal that is not indented":     "- |\n- [a, b]\n",
		"a literal in a sequence like a key": "a:\n- |\n  b: c\n- d\n",
		"other line breaks":                  "a: |\n  b\u0085c: [d]\u2028e: |\r\n  f: g\rh: 'i'\n",
		"anchors and tags":                   "a: &b !!str c\nd: !!map {e: f}\n!!str g: &h-i [j]\n",
		"keys of a sequence":                 "{? a : b, ? c}\n",
		"a mark of the byte order":           "\ufeffa: [b]\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var value any
			if err := yaml.Unmarshal([]byte(given), &value); err != nil {
				t.Fatal(err)
			}
			if got, want := CountNodes([]byte(given), 1000), nodesOf(value); got != want {
				t.Errorf("%d nodes, want %d as in %v", got, want, value)
			}
		})
	}
}

// TestNodesOfUpstreamBundles compares the count with the trees of real documents.
func TestNodesOfUpstreamBundles(t *testing.T) {
	t.Parallel()
	largest, where := 0, ""
	for _, dir := range []string{bundlesDir(t), "../../../manifests"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".yaml" {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for document := range bytes.SplitSeq(content, []byte("\n---")) {
				var value any
				if err := yaml.Unmarshal(document, &value); err != nil {
					t.Errorf("%s: %v", path, err)
				}
				got, want := CountNodes(document, 1<<30), nodesOf(value)
				if got != want {
					t.Errorf("%s: %d nodes, want %d", path, got, want)
				}
				if got > largest {
					largest, where = got, fmt.Sprintf("%s (%d bytes)", filepath.Base(path), len(document))
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	t.Logf("the largest document has %d nodes: %s", largest, where)
}

// TestNoNodeIsMissingFromTheCount puts texts together from what the scanner looks at.
func TestNoNodeIsMissingFromTheCount(t *testing.T) {
	t.Parallel()
	pieces := []string{
		"a", "b", " ", " ", "\n", "\n", "\n  ", "\n ", "\n    ", "- ", "-", ": ", ":", "? ", "?", "[", "[", "]", "{", "}", ",", ", ",
		"--- ", "...", "%a\n",
		"'", "\"", "#", " #", "|", ">", "|2", "|-\n", ">\n", "\t", "&x ", "!t ", "!", "\\", "%", "\r", "\u0085", "\u2028", "é",
		"\ufeff", "a: b\n", "- a\n", "  c: d\n", "a: |\n  b\n", "'b'", "\"c\"",
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 30_000 / slowdown {
		var text strings.Builder
		for range 1 + random.IntN(16) {
			text.WriteString(pieces[random.IntN(len(pieces))])
		}
		compareNodes(t, []byte(text.String()))
	}
}

// compareNodes checks that the count is not less than the nodes that the library makes.
func compareNodes(t *testing.T, text []byte) {
	t.Helper()
	var value any
	if yaml.UnmarshalStrict(text, &value) != nil {
		return
	}
	if got, want := CountNodes(text, 1<<30), nodesOf(value); got < want {
		t.Errorf("%d nodes, want %d of %q", got, want, text)
	}
}

// FuzzNodes checks that no node of a document that the library reads is missing from the
// count. There may be more: the library ends at the first root of a text.
func FuzzNodes(f *testing.F) {
	f.Add([]byte("a: [b, {c: d}]\ne:\n- f\n- |\n  g: h\n"))
	f.Add([]byte("a: b\n  \"c\nd: 'e\n  f' # g\n? [h]\n: i\n"))
	f.Add([]byte("- - a\n  - \"b: c\"\n- >2\n    d\n  e\n- {f: , ? g : h}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.ContainsAny(text, "*\x00") || bytes.Contains(text, []byte("<<")) {
			return // an alias is decoded as what it stands for, and a NUL is no text
		}
		compareNodes(t, text)
	})
}
