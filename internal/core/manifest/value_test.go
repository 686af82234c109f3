package manifest

import (
	"strings"
	"testing"
)

func TestAValueIsCompactJSON(t *testing.T) {
	t.Parallel()
	limits := Limits{Object: 64, Objects: 1, Nesting: 3, Nodes: 20}
	for name, test := range map[string]struct{ given, want string }{
		"text":                 {"10.0.0.1", `"10.0.0.1"`},
		"a number":             {"6443", "6443"},
		"a mapping":            {"b: 1\na: [x, true]", `{"a":["x",true],"b":1}`},
		"JSON":                 {`{"b": 1.5, "a": null}`, `{"a":null,"b":1.5}`},
		"nothing":              {"", "null"},
		"more than the limit":  {strings.Repeat("a", 65), ""},
		"too many nodes":       {"[" + strings.Repeat("1,", 20) + "]", ""},
		"too deep":             {"[[[[1]]]]", ""},
		"aliases":              {"a: &x [1]\nb: *x", ""},
		"no YAML":              {"a: b: c", ""},
		"a number of no limit": {".inf", ""},
	} {
		got, err := Value([]byte(test.given), limits)
		if string(got) != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: want %q, got %q and %v", name, test.want, got, err)
		}
	}
}
