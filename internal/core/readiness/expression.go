package readiness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/cel-go/cel"
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
// The language is CEL (https://cel.dev) with the object as self, of type dyn;
// the macros has, all, exists, existsOne, exists_one and filter; optional syntax
// such as self.?status.?ready.orValue(false); and the string functions of the
// cel-go extension. Numbers of different types compare with each other. An
// expression is written by every author of a Bundle and runs in the provider,
// so what can make something large of something small is refused: the macros map,
// optMap and optFlatMap, and the functions format, join, replace and strings.quote.
//
// An error is of the class Stall with ExpressionInvalidReason, on one line, and
// names the object: for a syntax or type error, a function that does not exist or
// is refused, more than 4096 characters, or a result that is certain not to be a
// bool. A result of type dyn is accepted and looked at by Evaluate.
func Compile(readyWhen v1alpha1.ReadyWhen) (*Expression, error) {
	e := &Expression{object: readyWhen.Object, text: readyWhen.Expression, limit: maxTime}
	env, err := environment()
	if err != nil {
		return nil, e.invalid(err)
	}
	ast, issues := env.Compile(e.text)
	if issues.Err() != nil {
		return nil, e.invalid(withPosition(issues.Errors()[0]))
	}
	if name := refused(ast); name != "" {
		return nil, e.invalid(fmt.Errorf("the function %s is not available", name))
	}
	if out := ast.OutputType(); !out.IsExactType(cel.BoolType) && !out.IsExactType(cel.DynType) {
		return nil, e.invalid(fmt.Errorf("yields %s, not bool", out))
	}
	e.program, err = env.Program(ast,
		cel.CostLimit(maxCost), cel.CostTracking(concatenation{}), cel.InterruptCheckFrequency(interruptEvery))
	if err != nil {
		return nil, e.invalid(err)
	}
	return e, nil
}

func (e *Expression) invalid(err error) error {
	return fault.Stallf(v1alpha1.ExpressionInvalidReason, "readyWhen of %s: %s", e.title(), line(err.Error()))
}

// withPosition returns a compile error with its position, if it has one, counted from 1.
func withPosition(err *cel.Error) error {
	if err.Location.Line() < 1 || err.Location.Column() < 0 {
		return errors.New(err.Message)
	}
	return fmt.Errorf("line %d, column %d: %s", err.Location.Line(), err.Location.Column()+1, err.Message)
}

func (e *Expression) title() string {
	return title(e.object.Kind, e.object.Namespace, e.object.Name)
}

// Object names the object that the expression is about.
func (e *Expression) Object() v1alpha1.ObjectReference { return e.object }

// Evaluate finds out whether the expression holds for obj, which is nil while the
// object does not exist. It reads obj and changes nothing in it.
//
// An expression that cannot be evaluated does not hold: a field that is absent,
// an operation that the value of a field does not have, a result that is not a
// bool, more than five seconds. All of them may pass. An expression that costs
// more than 100,000 (the unit of cel-go, about one step each) is stalled.
//
// The reason is ReadyReason, ReadyWhenReason or, for the cost, LimitExceededReason.
func (e *Expression) Evaluate(obj *unstructured.Unstructured) Finding {
	if obj == nil {
		return notReady(v1alpha1.ReadyWhenReason, e.title()+" does not exist")
	}
	// The cost bounds the number of steps and not the work in one of them, such
	// as comparing two large objects. And what cel-go does to count it grows with
	// the square of a loop's length.
	ctx, cancel := context.WithTimeout(context.Background(), e.limit)
	defer cancel()
	out, _, err := e.program.ContextEval(ctx, map[string]any{self: obj.Object})
	if err != nil {
		return e.unknown(err)
	}
	name := fmt.Sprintf("%s: %s", e.title(), line(e.text))
	switch holds, ok := out.Value().(bool); {
	case !ok:
		return notReady(v1alpha1.ReadyWhenReason, fmt.Sprintf("%s yields %s, not bool", name, out.Type().TypeName()))
	case !holds:
		return notReady(v1alpha1.ReadyWhenReason, name+" is false")
	default:
		return ready(name + " is true")
	}
}

// unknown is the finding for an expression that has no result.
func (e *Expression) unknown(err error) Finding {
	name := fmt.Sprintf("%s: %s", e.title(), line(e.text))
	if errors.Is(err, context.DeadlineExceeded) {
		return notReady(v1alpha1.ReadyWhenReason, fmt.Sprintf("%s takes more than %s", name, e.limit))
	}
	if c, ok := errors.AsType[interpreter.EvalCancelledError](err); ok && c.Cause == interpreter.CostLimitExceeded {
		return stalled(v1alpha1.LimitExceededReason, fmt.Sprintf("%s costs more than %d", name, maxCost))
	}
	return notReady(v1alpha1.ReadyWhenReason, name+": "+line(err.Error()))
}

// Bounds of an evaluation. See Evaluate.
const (
	maxCost        = 100_000
	maxTime        = 5 * time.Second
	interruptEvery = 100
)
