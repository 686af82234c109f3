package text_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

func TestLine(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given string
		size  int
		want  string
	}{
		"an empty text stays empty":                     {"", 10, ""},
		"a short text stays as it is":                   {"calico", 10, "calico"},
		"a text of just the size stays as it is":        {"calico", 6, "calico"},
		"a longer text is cut and marked":               {"calico-operator", 10, "calico-…"},
		"lines and tabs become spaces":                  {"a\r\n\tb  c", 10, "a b c"},
		"white space around it goes":                    {" a \n", 10, "a"},
		"no-break spaces and control characters do too": {"a\u00a0b\x00c\x7fd\u2028e", 20, "a b c d e"},
		"bytes that are not UTF-8 are replaced":         {"a\xffb", 10, "a\uFFFDb"},
		"it is cut between two characters":              {"äöüäöü", 8, "äö…"},
		"no space stands before the mark":               {"abc defgh", 7, "abc…"},
		"a size below that of the mark leaves the mark": {"calico", 1, "…"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := text.Line(test.given, test.size); got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}

func FuzzLine(f *testing.F) {
	f.Add("calico\n", 5)
	f.Add("\xff\xfe", 3)
	f.Fuzz(func(t *testing.T, given string, size int) {
		got := text.Line(given, size)
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\n\r\t") || len(got) > max(size, len("…")) {
			t.Errorf("%q cut to %d bytes is %q", given, size, got)
		}
	})
}

func TestQuote(t *testing.T) {
	t.Parallel()
	if got, want := text.Quote("say \"hi\"\nto all", 12), `"say \"hi\"…"`; got != want {
		t.Errorf("want %s, got %s", want, got)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	names := []string{"a", "b", "c"}
	tests := map[string]struct {
		most int
		want string
	}{
		"all fit":             {3, "a, b, c"},
		"the rest is counted": {2, "a, b, and 1 more"},
		"none is shown":       {0, "and 3 more"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := text.List(names, test.most, ", "); got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
	if names[2] != "c" {
		t.Error("the texts that were given changed")
	}
}
