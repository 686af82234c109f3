package readiness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/interpreter"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// Expression is a compiled readyWhen. It is safe for concurrent use.
type Expression struct {
	object  v1alpha1.ObjectReference
	text    string
	program cel.Program
	limit   time.Duration
}

// Compile compiles a readyWhen; do it once per release.
//
// The language is CEL (https://cel.dev) with the object as self, of type dyn; the
// macros has, all, exists, exists_one and filter; optional syntax such
// as self.?status.?ready.orValue(false); and of the functions that validation
// rules of Kubernetes have those for strings, lists, quantities, semantic versions,
// URLs, IP addresses, CIDRs and named formats. Numbers of different types compare
// with each other. An expression is written by every author of a Bundle and runs
// in the provider, so what nobody can bound is refused: the macros map, optMap and
// optFlatMap, the function format, messages, and optional elements of literals.
//
// An error is of the class Stall with ExpressionInvalidReason, on one line, and
// names the object: for a syntax or type error, a function that does not exist or
// is refused, more than 4096 characters, a nesting of more than 100 or of lists
// and maps of more than 16, or a result that is certain not to be a bool. A result
// of type dyn is accepted and looked at by Evaluate.
func Compile(readyWhen v1alpha1.ReadyWhen) (*Expression, error) {
	e := &Expression{object: readyWhen.Object, text: readyWhen.Expression, limit: maxTime}
	language, err := theLanguage()
	if err != nil {
		return nil, e.invalid(err)
	}
	checked, err := language.compile(e.text)
	if err != nil {
		return nil, e.invalid(err)
	}
	e.program, err = language.program(checked)
	if err != nil {
		return nil, e.invalid(err)
	}
	return e, nil
}

func (e *Expression) invalid(err error) error {
	return fault.Stallf(v1alpha1.ExpressionInvalidReason, "readyWhen of %s: %s", e.title(), line(err.Error()))
}

func (e *Expression) title() string {
	return title(e.object.Kind, e.object.Namespace, e.object.Name)
}

// Object names the object that the expression is about.
func (e *Expression) Object() v1alpha1.ObjectReference { return e.object }

// Evaluate finds out whether the expression holds for obj, which is nil while the
// object does not exist. It reads obj and changes nothing in it. It ends soon after
// ctx does.
//
// An expression that cannot be evaluated does not hold: a field that is absent,
// an operation that the value of a field does not have, a result that is not a
// bool, more than five seconds. All of them may pass. An expression that costs
// more than 100,000 (the unit of cel-go, about one step each; a comparison counts
// each element of what it compares, a text a tenth for each character) is stalled,
// and so is one about an object of more than 200,000 nodes or 3 MiB of text.
//
// The reason is ReadyReason, ReadyWhenReason or, for a limit, LimitExceededReason.
func (e *Expression) Evaluate(ctx context.Context, obj *unstructured.Unstructured) Finding {
	if obj == nil {
		return notReady(v1alpha1.ReadyWhenReason, e.title()+" does not exist")
	}
	if what := tooLarge(obj.Object); what != "" {
		return stalled(v1alpha1.LimitExceededReason, e.title()+" has more than "+what)
	}
	// The cost bounds the work. But what cel-go does to count it grows with the
	// square of a loop's length.
	limited, cancel := context.WithTimeout(ctx, e.limit)
	defer cancel()
	out, _, err := e.program.ContextEval(limited, map[string]any{self: obj.Object})
	if ctx.Err() != nil {
		return notReady(v1alpha1.ReadyWhenReason, e.name()+" was not evaluated to its end")
	}
	if err != nil {
		return e.unknown(err)
	}
	switch holds, ok := out.(types.Bool); {
	case !ok:
		return notReady(v1alpha1.ReadyWhenReason, fmt.Sprintf("%s yields %s, not bool", e.name(), out.Type().TypeName()))
	case !bool(holds):
		return notReady(v1alpha1.ReadyWhenReason, e.name()+" is false")
	default:
		return ready(e.name() + " is true")
	}
}

// name names the object and the expression.
func (e *Expression) name() string { return e.title() + ": " + line(e.text) }

// unknown is the finding for an expression that has no result.
func (e *Expression) unknown(err error) Finding {
	if errors.Is(err, context.DeadlineExceeded) {
		return notReady(v1alpha1.ReadyWhenReason, fmt.Sprintf("%s takes more than %s", e.name(), e.limit))
	}
	if c, ok := errors.AsType[interpreter.EvalCancelledError](err); ok && c.Cause == interpreter.CostLimitExceeded {
		return stalled(v1alpha1.LimitExceededReason, fmt.Sprintf("%s costs more than %d", e.name(), maxCost))
	}
	return notReady(v1alpha1.ReadyWhenReason, e.name()+": "+line(err.Error()))
}

// Bounds of an evaluation. See Evaluate.
const (
	maxCost        = 100_000
	maxTime        = 5 * time.Second
	interruptEvery = 10
)
