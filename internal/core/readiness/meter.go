package readiness

import (
	"fmt"
	"maps"
	"slices"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/functions"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"
)

// metered are the functions of costs, each with a look at its cost before it runs:
// cel-go charges for a call when it is over, and a single one could take hours.
type metered map[string]functions.FunctionOp

// meter returns the metered functions of a language.
func meter(env *cel.Env) (metered, error) {
	m := metered{
		operators.Equals:    equal,
		operators.NotEquals: func(args ...ref.Val) ref.Val { return types.Bool(equal(args...) != types.True) },
		listLiteral:         newList,
		mapLiteral:          newMap,
	}
	known := env.Functions()
	for _, name := range slices.Sorted(maps.Keys(costs)) {
		if m[name] != nil {
			continue
		}
		overloads, err := known[name].Bindings()
		if err != nil {
			return nil, err
		}
		byName := slices.IndexFunc(overloads, func(o *functions.Overload) bool { return o.Operator == name })
		if byName < 0 {
			return nil, fmt.Errorf("the language has no function %s", name)
		}
		m[name] = implementation(overloads[byName])
	}
	for name, run := range m {
		m[name] = meteredCall(costs[name], run)
	}
	return m, nil
}

// meteredCall ends the evaluation instead of a call that is too costly. An error
// would not: || and exists go on behind one.
func meteredCall(cost func([]ref.Val) uint64, run functions.FunctionOp) functions.FunctionOp {
	return func(args ...ref.Val) ref.Val {
		if cost(args) > maxCost {
			panic(interpreter.EvalCancelledError{Cause: interpreter.CostLimitExceeded})
		}
		return run(args...)
	}
}

// implementation returns an overload as a function of any number of arguments.
func implementation(o *functions.Overload) functions.FunctionOp {
	return func(args ...ref.Val) ref.Val {
		switch {
		case o.OperandTrait != 0 && !args[0].Type().HasTrait(o.OperandTrait):
			return types.MaybeNoSuchOverloadErr(args[0])
		case len(args) == 1 && o.Unary != nil:
			return o.Unary(args[0])
		case len(args) == 2 && o.Binary != nil:
			return o.Binary(args[0], args[1])
		case o.Function != nil:
			return o.Function(args...)
		}
		return types.MaybeNoSuchOverloadErr(args[0])
	}
}

// decorate replaces the steps of a program that are metered.
func (m metered) decorate(step interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	switch s := step.(type) {
	case interpreter.InterpretableCall:
		if run := m[s.Function()]; run != nil {
			return interpreter.NewCall(s.ID(), s.Function(), s.OverloadID(), s.Args(), run), nil
		}
	case interpreter.InterpretableConstructor:
		name := listLiteral
		if s.Type() == types.MapType {
			name = mapLiteral
		}
		if parts := s.InitVals(); len(parts) > 0 {
			return interpreter.NewCall(s.ID(), name, name, parts, m[name]), nil
		}
	}
	return step, nil
}

func equal(args ...ref.Val) ref.Val { return types.Equal(args[0], args[1]) }

func newList(elements ...ref.Val) ref.Val {
	return types.NewRefValList(types.DefaultTypeAdapter, elements)
}

// newMap makes a map of keys and values, in turn.
func newMap(parts ...ref.Val) ref.Val {
	entries := make(map[ref.Val]ref.Val, len(parts)/2)
	for pair := range slices.Chunk(parts, 2) {
		switch pair[0].(type) {
		case types.Bool, types.Int, types.Uint, types.Double, types.String:
			entries[pair[0]] = pair[1]
		default:
			return types.NewErr("unsupported key type")
		}
	}
	return types.NewRefValMap(types.DefaultTypeAdapter, entries)
}
