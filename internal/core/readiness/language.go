package readiness

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/ext"
	"k8s.io/apiserver/pkg/cel/library"
)

const (
	// self is the variable that holds the object.
	self = "self"
	// maxExpression is the longest expression in characters, as the API has it.
	maxExpression = 4096
	// maxDepth is how deep an expression may be nested. The type checker needs the
	// third power of it.
	maxDepth = 100
	// maxLiterals is how deep lists and maps may be written into each other, those
	// that a macro goes over and those in its body counted together. The type of
	// {a: a} is twice as large as that of a, and the type checker walks all of it:
	// 16 levels, in an expression of 374 characters, kept it busy for 22 s.
	maxLiterals = 16
	// stringsVersion is the version of the string functions that Kubernetes has.
	stringsVersion = 2
)

// language is the language of expressions.
type language struct {
	env *cel.Env
	// metered are the functions that are charged for before they run.
	metered metered
}

// theLanguage returns the language, built at the first use.
var theLanguage = sync.OnceValues(func() (language, error) {
	env, err := cel.NewEnv(
		cel.Variable(self, cel.DynType),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ParserRecursionLimit(maxDepth),
		cel.OptionalTypes(),
		ext.Strings(ext.StringsVersion(stringsVersion)),
		library.Lists(),
		library.Quantity(),
		library.SemverLib(library.SemverVersion(1)),
		library.URLs(),
		library.IP(),
		library.CIDR(),
		library.Format(),
		// What map and its like make is larger than the list that they go over, and
		// is kept until the end.
		cel.ClearMacros(),
		cel.Macros(cel.HasMacro, cel.AllMacro, cel.ExistsMacro, cel.ExistsOneMacro, cel.FilterMacro),
	)
	if err != nil {
		return language{}, err
	}
	metered, err := meter(env)
	return language{env: env, metered: metered}, err
})

// compile returns the checked expression.
func (l language) compile(text string) (*cel.Ast, error) {
	parsed, issues := l.env.Parse(text)
	if issues.Err() != nil {
		return nil, withPosition(issues.Errors()[0])
	}
	if err := refuse(parsed.NativeRep().Expr()); err != nil {
		return nil, err
	}
	checked, issues := l.env.Check(parsed)
	if issues.Err() != nil {
		return nil, withPosition(issues.Errors()[0])
	}
	if out := checked.OutputType(); !out.IsExactType(cel.BoolType) && !out.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("yields %s, not bool", out)
	}
	return checked, nil
}

// program returns what evaluates a checked expression.
func (l language) program(checked *cel.Ast) (cel.Program, error) {
	return l.env.Program(checked,
		cel.CostLimit(maxCost), cel.CostTracking(price{}), cel.InterruptCheckFrequency(interruptEvery),
		cel.CustomDecoratorV2(l.metered.decorate))
}

// withPosition returns a compile error with its position, if it has one, counted from 1.
func withPosition(err *cel.Error) error {
	if err.Location.Line() < 1 || err.Location.Column() < 0 {
		return errors.New(err.Message)
	}
	return fmt.Errorf("line %d, column %d: %s", err.Location.Line(), err.Location.Column()+1, err.Message)
}

// refuse returns an error for an expression whose cost nobody can bound. It looks
// at the expression before its types are checked.
func refuse(e ast.Expr) error {
	if literals(e) > maxLiterals {
		return fmt.Errorf("lists and maps are nested more than %d deep", maxLiterals)
	}
	var err error
	ast.PostOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		if err == nil {
			err = refuseStep(e)
		}
	}))
	return err
}

// refuseStep returns an error for a step that is not available: format repeats its
// arguments and pads them to any width; a message converts its fields, and an
// optional element prints what is not one, without a limit.
func refuseStep(e ast.Expr) error {
	switch e.Kind() {
	case ast.CallKind:
		if e.AsCall().FunctionName() == "format" {
			return errors.New("the function format is not available")
		}
	case ast.StructKind:
		return errors.New("messages are not available")
	case ast.ListKind:
		if len(e.AsList().OptionalIndices()) > 0 {
			return errors.New("optional elements of lists are not available")
		}
	case ast.MapKind:
		if slices.ContainsFunc(e.AsMap().Entries(), func(entry ast.EntryExpr) bool {
			return entry.AsMapEntry().IsOptional()
		}) {
			return errors.New("optional entries of maps are not available")
		}
	default:
	}
	return nil
}

// literals returns how deep lists and maps are written into each other. What a
// macro goes over is the type of its variable, so its body nests in it.
func literals(e ast.Expr) int {
	deepest := func(parts ...ast.Expr) int {
		n := 0
		for _, part := range parts {
			n = max(n, literals(part))
		}
		return n
	}
	switch e.Kind() {
	case ast.ListKind:
		return 1 + deepest(e.AsList().Elements()...)
	case ast.MapKind:
		n := 0
		for _, entry := range e.AsMap().Entries() {
			n = max(n, deepest(entry.AsMapEntry().Key(), entry.AsMapEntry().Value()))
		}
		return 1 + n
	case ast.CallKind:
		return deepest(append(e.AsCall().Args(), e.AsCall().Target())...)
	case ast.SelectKind:
		return literals(e.AsSelect().Operand())
	case ast.ComprehensionKind:
		fold := e.AsComprehension()
		return literals(fold.IterRange()) + deepest(fold.LoopCondition(), fold.LoopStep(), fold.Result())
	default:
		return 0
	}
}
