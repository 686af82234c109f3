package readiness_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/readiness"
)

// available is the expression that the catalogue uses for Calico.
const available = "self.status.conditions.exists(c, c.type == 'Available' && c.status == 'True')"

// tigeraStatus is what calico's operator writes; %s is the status of Available.
const tigeraStatus = `
apiVersion: operator.tigera.io/v1
kind: TigeraStatus
metadata: {name: calico, generation: 1}
status:
  conditions:
  - {type: Progressing, status: "False", reason: AllObjectsAvailable, observedGeneration: 3}
  - {type: Available, status: "%s", reason: AllObjectsAvailable, observedGeneration: 3}
  replicas: 3
  ratio: 0.5
  name: calico-node
  nothing: null
  nodes: [a, b]
`

func readyWhen(expression string) v1alpha1.ReadyWhen {
	return v1alpha1.ReadyWhen{
		Object: v1alpha1.ObjectReference{APIVersion: "operator.tigera.io/v1", Kind: "TigeraStatus",
			Name: "calico"},
		Expression: expression,
	}
}

func compile(tb testing.TB, expression string) *readiness.Expression {
	tb.Helper()
	e, err := readiness.Compile(readyWhen(expression))
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func TestEvaluate(t *testing.T) {
	t.Parallel()
	no := v1alpha1.ReadyWhenReason
	object, unavailable := fmt.Sprintf(tigeraStatus, "True"), fmt.Sprintf(tigeraStatus, "False")
	const empty = "apiVersion: operator.tigera.io/v1\nkind: TigeraStatus\nmetadata: {name: calico}"
	with := func(status string) string { return empty + "\nstatus: " + status }
	tests := map[string]struct {
		givenExpression string
		givenObject     string
		want            readiness.Finding
	}{
		"a condition that is true": {available, object, readiness.Finding{
			Ready: true, Reason: v1alpha1.ReadyReason, Message: "TigeraStatus calico: " + available + " is true",
		}},
		"a condition that is false": {available, unavailable, readiness.Finding{
			Reason: no, Message: "TigeraStatus calico: " + available + " is false",
		}},
		"an object that does not exist": {available, "", readiness.Finding{
			Reason: no, Message: "TigeraStatus calico does not exist",
		}},
		"a status that is not written yet": {available, empty, readiness.Finding{
			Reason: no, Message: "TigeraStatus calico: " + available + ": no such key: status",
		}},
		"conditions that are not written yet": {available, with("{}"), readiness.Finding{
			Reason: no, Message: "TigeraStatus calico: " + available + ": no such key: conditions",
		}},
		"a condition without a status": {available, with("{conditions: [{type: Available}]}"), readiness.Finding{
			Reason: no, Message: "TigeraStatus calico: " + available + ": no such key: status",
		}},
		"a field of another type than the operation": {"self.status.name > 3", object, readiness.Finding{
			Reason: no, Message: "TigeraStatus calico: self.status.name > 3: no such overload",
		}},
		"a field that is not a bool": {"self.status.name", object, readiness.Finding{
			Reason: no, Message: "TigeraStatus calico: self.status.name yields string, not bool",
		}},
		"a field that is null": {"self.status.nothing", object, readiness.Finding{
			Reason: no, Message: "TigeraStatus calico: self.status.nothing yields null_type, not bool",
		}},
		"a division by zero": {"1 / (self.status.replicas - 3) > 0", object, readiness.Finding{
			Reason: no, Message: "TigeraStatus calico: 1 / (self.status.replicas - 3) > 0: division by zero",
		}},
		"an index out of range": {"self.status.nodes[2] == 'c'", object, readiness.Finding{
			Reason: no, Message: "TigeraStatus calico: self.status.nodes[2] == 'c': index out of bounds: 2",
		}},
		"an expression on several lines": {"self.status.replicas\n  == 4", object, readiness.Finding{
			Reason: no, Message: "TigeraStatus calico: self.status.replicas == 4 is false",
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var obj *unstructured.Unstructured
			if tc.givenObject != "" {
				obj = parsed(t, tc.givenObject)
			}
			before := obj.DeepCopy()
			got := compile(t, tc.givenExpression).Evaluate(t.Context(), obj)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("finding (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, obj); diff != "" {
				t.Errorf("the object changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	obj := parsed(t, fmt.Sprintf(tigeraStatus, "True"))
	for _, expression := range []string{
		"has(self.status.nodes)",
		"!has(self.status.missing)",
		"self.?status.?missing.?deeper.orValue(true)",
		"self.status.?replicas.orValue(0) == 3",
		"self.status[?'nodes'].hasValue()",
		"self.status.replicas == 3.0",
		"self.status.replicas > 2.5",
		"self.status.ratio < 1",
		"self.metadata.generation <= self.status.conditions[0].observedGeneration",
		"self.status.nodes.all(n, n != 'c')",
		"self.status.nodes.exists_one(n, n == 'a')",
		"self.status.nodes.filter(n, n == 'a').size() == 1",
		"'a' in self.status.nodes",
		"'replicas' in self.status",
		"self.status.name.startsWith('calico') && self.status.name.matches('^[a-z-]+$')",
		"self.status.name.split('-')[1] == 'node'",
		"self.status.name.upperAscii() == 'CALICO-NODE'",
		"self.status.name.substring(7) == 'node'",
		"self.status.name + '!' == 'calico-node!'",
		"self.status.replicas + 1 == 4",
		"timestamp('2026-01-01T00:00:00Z').getFullYear() == 2026",
		"self.status.name.replace('calico', 'tigera') == 'tigera-node'",
		"self.status.nodes.join(',') == 'a,b'",
		"self.status.name.indexOf('-') == 6 && self.status.nodes.indexOf('b') == 1",
		"strings.quote('a') == '\"a\"'",
		"quantity('500Mi').isLessThan(quantity('1Gi')) && isQuantity('1e3') && !isQuantity('x')",
		"semver('1.2.3').isGreaterThan(semver('1.2.0'))",
		"url('https://example.org:443/a').getHostname() == 'example.org'",
		"cidr('10.0.0.0/8').containsIP(ip('10.1.2.3')) && !isIP('x')",
		"!format.dns1123Label().validate('a-b').hasValue()",
		"[1, 2, 3].isSorted() && [1, 2].sum() == 3 && self.status.nodes.isSorted()",
		"{'a': 1, 'b': [2]} == {'b': [2], 'a': 1}",
		"[1, 2] + [3] != [1, 2] && 3 in [1, 2] + [3]",
		"self.status.conditions.filter(c, c.type == 'Available') == [self.status.conditions[1]]",
		"self.status.name.split('-') == ['calico', 'node']",
	} {
		if got := compile(t, expression).Evaluate(t.Context(), obj); !got.Ready {
			t.Errorf("%s: %s", expression, got.Message)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ given, want string }{
		"nothing":                        {"", ": Syntax error: "},
		"a syntax error":                 {"self.status.", "line 1, column 13: Syntax error: "},
		"a syntax error on a later line": {"true &&\n  )", "line 2, column 3: Syntax error: "},
		"an unknown variable":            {"slef.status.ready", "line 1, column 1: undeclared reference to 'slef'"},
		"an unknown function":            {"self.isReady()", "undeclared reference to 'isReady'"},
		"operands that do not fit":       {"1 + 'a' == 'b'", "no matching overload for '_+_'"},
		"a result that is a number":      {"1 + 2", "yields int, not bool"},
		"a result that is text":          {"string(self.status.ready)", "yields string, not bool"},
		"a result that is optional":      {"self.?status.?ready", "yields optional_type(dyn), not bool"},
		"a result that is a list":        {"[self.status.ready]", "yields list(dyn), not bool"},
		"an expression that is too long": {
			"true" + strings.Repeat(" ", 4093), "expression code point size exceeds limit",
		},
		"an expression that is too deep": {
			strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300), ": expression recursion limit exceeded",
		},
		"the macro map": {"self.a.map(x, [x, x]).size() > 0", "undeclared reference to 'map'"},
		"the macro optMap": {
			"self.?a.optMap(x, [x, x]).hasValue()", "undeclared reference to 'optMap'",
		},
		"the macro optFlatMap": {
			"self.?a.optFlatMap(x, x.?b).hasValue()", "undeclared reference to 'optFlatMap'",
		},
		"the function format": {
			"'%s%s'.format([self.a, self.a]) == ''", "the function format is not available",
		},
		"a refused function in a list": {
			"'a' in ['b', '%s'.format([self.a])]", "the function format is not available",
		},
		"a refused function behind a test": {
			"has(self.a) ? '%s'.format(self.a) == '' : false", "the function format is not available",
		},
		"a message": {
			"google.protobuf.ListValue{values: self.a}.values == []", "messages are not available",
		},
		"an optional element of a list": {
			"[?self.?a].size() > 0", "optional elements of lists are not available",
		},
		"an optional entry of a map": {
			"{?'a': self.?a}.size() > 0", "optional entries of maps are not available",
		},
		"lists nested too deep": {
			strings.Repeat("[", 17) + "1" + strings.Repeat("]", 17) + ".size() > 0", "nested more than 16 deep",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := readiness.Compile(readyWhen(tc.given))
			if err == nil {
				t.Fatal("it compiles")
			}
			if e != nil {
				t.Error("an expression beside the error")
			}
			if fault.ClassOf(err) != fault.ClassStall || fault.ReasonOf(err, "") != v1alpha1.ExpressionInvalidReason {
				t.Errorf("class %d and reason %q", fault.ClassOf(err), fault.ReasonOf(err, ""))
			}
			message := err.Error()
			if !strings.HasPrefix(message, "readyWhen of TigeraStatus calico: ") || !strings.Contains(message,
				tc.want) {
				t.Errorf("message %q, want it to contain %q", message, tc.want)
			}
			if strings.Contains(message, "\n") || len(message) > 1024 {
				t.Errorf("message of %d bytes: %q", len(message), message)
			}
		})
	}
}

func TestCompileAcceptsTheLongestExpression(t *testing.T) {
	t.Parallel()
	text := "true" + strings.Repeat(" ", 4092)
	if got := compile(t, text).Evaluate(t.Context(), &unstructured.Unstructured{}); !got.Ready {
		t.Error(got.Message)
	}
}

func TestEvaluateNamesTheNamespaceAndCutsTheExpression(t *testing.T) {
	t.Parallel()
	when := v1alpha1.ReadyWhen{
		Object: v1alpha1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system",
			Name: "a"},
		Expression: "false" + strings.Repeat(" || 1 == 2", 100),
	}
	e, err := readiness.Compile(when)
	if err != nil {
		t.Fatal(err)
	}
	want := "ConfigMap kube-system/a: " + when.Expression[:197] + "… is false"
	if diff := cmp.Diff(want, e.Evaluate(t.Context(), &unstructured.Unstructured{}).Message); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(when.Object, e.Object()); diff != "" {
		t.Errorf("object (-want +got):\n%s", diff)
	}
}

// big returns an object with a list of n numbers and a text of 100,000 characters.
func big(n int) *unstructured.Unstructured {
	list := make([]any, n)
	for i := range list {
		list[i] = int64(i)
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"list": list, "text": strings.Repeat("x", 100_000),
	}}
}

func TestEvaluateStopsAtTheCostLimit(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"nested comprehensions": "self.list.all(a, self.list.all(b, self.list.all(c, a + b + c >= 0)))",
		"text put together":     "(" + strings.Repeat("self.text + ", 90) + "self.text).size() > 0",
		"lists put together": "self.list.all(a, (" + strings.Repeat("self.list + ",
			90) + "self.list).size() > 0)",
	}
	for name, expression := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := compile(t, expression).Evaluate(t.Context(), big(100))
			if got.Ready || !got.Stalled || got.Reason != v1alpha1.LimitExceededReason {
				t.Errorf("%+v, want it failed with the reason %s", got, v1alpha1.LimitExceededReason)
			}
			if !strings.HasPrefix(got.Message, "TigeraStatus calico: ") ||
				!strings.HasSuffix(got.Message, " costs more than 100000") {
				t.Errorf("message %q", got.Message)
			}
		})
	}
}

func TestEvaluateStopsAtTheTimeLimit(t *testing.T) {
	t.Parallel()
	e := readiness.WithLimit(compile(t, "self.list.all(a, a >= 0)"), time.Nanosecond)
	want := readiness.Finding{
		Reason:  v1alpha1.ReadyWhenReason,
		Message: "TigeraStatus calico: self.list.all(a, a >= 0) takes more than 1ns",
	}
	if diff := cmp.Diff(want, e.Evaluate(t.Context(), big(2_000))); diff != "" {
		t.Errorf("finding (-want +got):\n%s", diff)
	}
}

func TestEvaluateHasTimeForWhatIsLargeAndNotCostly(t *testing.T) {
	t.Parallel()
	if got := compile(t, "self.list.all(a, a >= 0)").Evaluate(t.Context(), big(2_000)); !got.Ready {
		t.Error(got.Message)
	}
}

func TestEvaluateIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	e, obj := compile(t, available), parsed(t, fmt.Sprintf(tigeraStatus, "True"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if got := e.Evaluate(t.Context(), obj); !got.Ready {
					t.Error(got.Message)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		compile(b, available)
	}
}

func BenchmarkEvaluate(b *testing.B) {
	e, obj := compile(b, available), parsed(b, fmt.Sprintf(tigeraStatus, "True"))
	b.ReportAllocs()
	for b.Loop() {
		if !e.Evaluate(b.Context(), obj).Ready {
			b.Fatal("not ready")
		}
	}
}
