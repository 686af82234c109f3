package readiness

import (
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/ext"
)

const (
	// self is the variable that holds the object.
	self = "self"
	// maxExpression is the longest expression in characters, as the API has it.
	maxExpression = 4096
)

// environment returns the language of expressions, built at the first use.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable(self, cel.DynType),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.OptionalTypes(),
		ext.Strings(),
		// Each use of map, optMap and optFlatMap can double a value that the one
		// before has doubled: [self].map(a, [a, a]).map(a, [a, a])…
		cel.ClearMacros(),
		cel.Macros(cel.HasMacro, cel.AllMacro, cel.ExistsMacro, cel.ExistsOneMacro, cel.FilterMacro),
	)
})

// growing are the functions whose result can be much larger than their
// arguments. Nested in themselves they multiply, in one step and so before any
// limit on the cost can stop them.
var growing = []string{"format", "join", "replace", "strings.quote"}

// refused returns the first growing function, by name, that the expression calls.
func refused(expression *cel.Ast) string {
	root := ast.NavigateAST(expression.NativeRep())
	for _, name := range growing {
		if len(ast.MatchDescendants(root, ast.FunctionMatcher(name))) > 0 {
			return name
		}
	}
	return ""
}

// concatenation charges for + by the size of its result. cel-go does so only
// where it knows at compile time that the operands are strings, and a field of
// self is of no known type.
type concatenation struct{}

// CallCost returns the cost of a call, or nil for what cel-go takes.
func (concatenation) CallCost(function, _ string, _ []ref.Val, result ref.Val) *uint64 {
	sizer, ok := result.(traits.Sizer)
	if function != operators.Add || !ok {
		return nil
	}
	size, _ := sizer.Size().(types.Int)
	return new(1 + uint64(max(size, 0))/10)
}
