package readiness_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/readiness"
)

// soon is the time in which what is bounded ends on any machine. What is not
// takes minutes or more.
const soon = 30 * time.Second

// inTime runs f, and fails the test when it does not end.
func inTime(tb testing.TB, f func()) {
	tb.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(soon):
		tb.Fatal("it does not end")
	}
}

// doubled binds the last of so many variables, each of which holds the one before
// twice: "step" says how, with $ for the one before. The innermost expression has
// it as $.
func doubled(times int, first, step, innermost string) string {
	var text strings.Builder
	before := first
	for i := range times {
		name := fmt.Sprintf("v%d", i)
		fmt.Fprintf(&text, "[%s].exists(%s, ", strings.ReplaceAll(step, "$", before), name)
		before = name
	}
	return text.String() + strings.ReplaceAll(innermost, "$", before) + strings.Repeat(")", times)
}

// tenfold holds what was before ten times, as often as lists may be nested.
const tenfold = "[$, $, $, $, $, $, $, $, $, $]"

// hostile is an object whose author wants to harm who reads it.
func hostile() *unstructured.Unstructured {
	list, rows := make([]any, 1_000), make([]any, 1_000)
	for i := range list {
		row := map[string]any{}
		for j := range 50 {
			row[fmt.Sprintf("key%d", j)] = int64(j)
		}
		list[i], rows[i] = int64(i), row
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"list": list, "rows": rows,
		"text": strings.Repeat("a", 1<<20), "part": strings.Repeat("a", 1<<19) + "b",
		"digits": strings.Repeat("9", 1<<20), "power": "1e1000000000",
		"pattern": strings.Repeat("(a?){1000}", 1_000),
	}}
}

func TestWhatCostsTooMuchIsNotDone(t *testing.T) {
	t.Parallel()
	obj := hostile()
	tests := map[string]string{
		"a comparison of lists that double":   doubled(7, "self.list", tenfold, "$ == $"),
		"a comparison that finds them unlike": doubled(7, "self.list", tenfold, "$ != $"),
		"a comparison of lists in a filter":   "self.rows.filter(a, self.rows == self.rows).size() > 0",
		"a search for a list that doubles":    doubled(7, "self.list", tenfold, "$ in [$]"),
		"a search in a list of big maps":      "self.rows.exists(a, a in self.rows && false)",
		"the place of a big map in a list":    "[self.rows].exists(a, self.list.all(b, [a, a, a].indexOf(b) < 0))",
		"a list that doubles in a literal":    doubled(7, "self.list", tenfold, "false"),
		"a map that doubles in a literal":     doubled(7, "self.rows", "{1: $, 2: $, 3: $, 4: $, 5: $}", "false"),
		"lists that are put together":         doubled(12, "self.list", "$ + $", "false"),
		"texts that are put together":         doubled(12, "self.part", "$ + $", "false"),
		"an error that || hides":              doubled(7, "self.list", tenfold, "$ == $ || false"),
		"a regular expression of many steps":  "self.part.matches('^(" + strings.Repeat("a?", 300) + "){300}$')",
		"a regular expression of much memory": "'x'.matches('(" + strings.Repeat("a", 3_000) + "){1000}')",
		"a regular expression of the object":  "self.text.matches(self.pattern)",
		"a text searched at each place":       "self.text.indexOf(self.part) > 0",
		"a text searched from the end":        "self.text.lastIndexOf(self.part) > 0",
		"a text replaced between characters":  "self.text.replace('', self.part) == ''",
		"a long separator":                    "self.text.split('').join(self.part) == ''",
		"a long separator of few elements":    "[1, 2, 3, 4].filter(a, ['a', 'b'].join(self.text) != '').size() > 0",
		"a text split into characters":        "self.text.split('').size() > 0",
		"quotes in quotes":                    strings.Repeat("strings.quote(", 60) + `'"'` + strings.Repeat(")", 60) + " == ''",
		"a quantity with a large exponent":    "quantity(self.power).isGreaterThan(quantity('1'))",
		"a quantity with many digits":         "isQuantity(self.digits)",
	}
	for name, expression := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := compile(t, expression)
			var got readiness.Finding
			inTime(t, func() { got = e.Evaluate(t.Context(), obj) })
			if !got.Stalled || got.Reason != v1alpha1.LimitExceededReason {
				t.Errorf("%+v, want it stalled with the reason %s", got, v1alpha1.LimitExceededReason)
			}
		})
	}
}

func TestWhatLooksCostlyAndIsNotIsDone(t *testing.T) {
	t.Parallel()
	obj := hostile()
	for _, expression := range []string{
		"self.rows.all(a, a.key1 == 1)",
		"self.list.all(a, a in self.list[0 == 0 ? 0 : 1] || true)",
		"self.rows != 1 && self != {}",
		"!('a' in self.rows)",
		"self.list.filter(a, a > 10).size() == 989",
		"self.part.contains('ab') && self.text.startsWith('aaa') && self.text.size() > 1000",
		"'abc'.matches('^[a-z]{1,63}$')",
		"self.list == self.list",
	} {
		if got := compile(t, expression).Evaluate(t.Context(), obj); !got.Ready {
			t.Error(got.Message)
		}
	}
}

func TestAnExpressionCompilesInTime(t *testing.T) {
	t.Parallel()
	brackets := func(n int) string { return strings.Repeat("[", n) + "self" + strings.Repeat("]", n) }
	tests := map[string]string{
		"types that double":              doubled(40, "1", "{$: $}", "$ == $"),
		"as many as are allowed":         doubled(8, "1", "{$: $}", "$ == $"),
		"nested lists":                   brackets(240) + " == " + brackets(240),
		"nested calls":                   strings.Repeat("optional.of(", 240) + "1" + strings.Repeat(")", 240) + ".hasValue()",
		"nested calls, as allowed":       strings.Repeat("optional.of(", 99) + "1" + strings.Repeat(")", 99) + ".hasValue()",
		"nested macros":                  strings.Repeat("self.exists(a, ", 90) + "true" + strings.Repeat(")", 90),
		"nested conditions":              strings.Repeat("true ? true : ", 290) + "true",
		"a long chain":                   strings.Repeat("true || ", 500) + "true",
		"brackets that are never closed": strings.Repeat("{[", 2_000),
	}
	for name, expression := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inTime(t, func() {
				_, err := readiness.Compile(readyWhen(expression))
				if err != nil && fault.ReasonOf(err, "") != v1alpha1.ExpressionInvalidReason {
					t.Error(err)
				}
			})
		})
	}
}

func TestAnObjectThatIsTooLargeIsNotLookedAt(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("x", 4<<20)
	tests := map[string]struct {
		given map[string]any
		want  string
	}{
		"many elements":   {map[string]any{"list": make([]any, 200_000)}, "200000 fields and elements"},
		"a long text":     {map[string]any{"text": text}, "3145728 bytes of text"},
		"a long key":      {map[string]any{text: "x"}, "3145728 bytes of text"},
		"a list in lists": {map[string]any{"list": []any{[]any{text}}}, "3145728 bytes of text"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := readiness.Finding{
				Stalled: true, Reason: v1alpha1.LimitExceededReason,
				Message: "TigeraStatus calico has more than " + tc.want,
			}
			got := compile(t, "true").Evaluate(t.Context(), &unstructured.Unstructured{Object: tc.given})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("finding (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEvaluateEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want := readiness.Finding{
		Reason:  v1alpha1.ReadyWhenReason,
		Message: "TigeraStatus calico: self.list.all(a, a >= 0) was not evaluated to its end",
	}
	if diff := cmp.Diff(want, compile(t, "self.list.all(a, a >= 0)").Evaluate(ctx, big(2_000))); diff != "" {
		t.Errorf("finding (-want +got):\n%s", diff)
	}
}

func FuzzExpression(f *testing.F) {
	object, err := json.Marshal(parsed(f, fmt.Sprintf(tigeraStatus, "True")))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		available, "", "true", "self", "self.?a.orValue(true)", "((((", "'\\u0000'", "self.a.b[0][?'c'] in {1: 2}",
		"[1, 2.0, 'x', b'y', null, 1u].exists(a, a == self)",
		"self.status.nodes.filter(n, n.matches('(a+)+$')) == []",
		"quantity('1e999').isLessThan(quantity(self.status.name))", "{b'a': 1} == {self: 2}",
		"semver(self.status.name) == semver('1.2.3')", "url(self.status.name).getHost() == ''",
		"ip('::1') in [cidr('::/0').ip()]", "format.named('uri').value().validate(self.status.name).hasValue()",
		"self.status.nodes.join(self.status.name).split('').indexOf('a') == self.status.nodes.sum()",
		"self.status.name.replace('', self.status.name, 3).lastIndexOf('o', 2) == 1",
		"timestamp('2026-01-01T00:00:00Z').getHours('Europe/Berlin') == duration('1h').getHours()",
		doubled(6, "self", "[$, $]", "$ == $"), doubled(6, "self", "{'a': $, 'b': $}", "$ in [$]"),
		doubled(6, "self.status.name", "$ + $", "$.matches($)"),
	} {
		f.Add(seed, object)
	}
	f.Fuzz(func(t *testing.T, expression string, object []byte) {
		var content map[string]any
		if json.Unmarshal(object, &content) != nil {
			return
		}
		inTime(t, func() { checkExpression(t, expression, &unstructured.Unstructured{Object: content}) })
	})
}

// checkExpression fails the test unless the expression is refused, or gives a
// finding, in the form that both promise.
func checkExpression(t *testing.T, expression string, obj *unstructured.Unstructured) {
	t.Helper()
	e, err := readiness.Compile(readyWhen(expression))
	if err != nil {
		if fault.ReasonOf(err, "") != v1alpha1.ExpressionInvalidReason || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %q", err)
		}
		return
	}
	got := e.Evaluate(t.Context(), obj)
	if got.Ready && got.Stalled || got.Reason == "" || got.Message == "" || len(got.Message) > 1024 {
		t.Errorf("finding %+v", got)
	}
	if strings.Contains(got.Message, "internal error") {
		t.Errorf("cel-go panicked: %s", got.Message)
	}
}
