package patch

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"text/template"
	"text/template/parse"
)

const (
	// maxSteps bounds the calls of functions and the turns of loops of all templates of a
	// set, for one Cluster.
	maxSteps = 10_000

	// maxMade bounds what a function or a template makes, and maxTaken what a function
	// makes it of, in bytes.
	maxMade  = 16 << 10
	maxTaken = 4 * maxMade
)

var (
	errTooLong  = fmt.Errorf("the templates take more than %d calls and turns of loops", maxSteps)
	errTooLarge = fmt.Errorf("a value is larger than %d bytes", maxMade)
	errTemplate = errors.New("define, block and template are not for patches")
)

// turn is the function that each turn of a loop begins with.
const turn = "_turn"

// meter executes templates. What it counts is of all of them together.
type meter struct {
	steps     int
	functions template.FuncMap
}

func newMeter() *meter {
	m := &meter{functions: template.FuncMap{}}
	for name, function := range functions() {
		m.functions[name] = m.metered(function)
	}
	m.functions[turn] = func() (string, error) { return "", m.step() }
	return m
}

func (m *meter) step() error {
	if m.steps++; m.steps > maxSteps {
		return errTooLong
	}
	return nil
}

// execute returns what a template gives.
func (m *meter) execute(text string, variables Variables) (string, error) {
	parsed, err := template.New("template").Funcs(m.functions).Parse(text)
	if err != nil {
		return "", err
	}
	counted, err := template.New("turn").Funcs(m.functions).Parse("{{" + turn + "}}")
	if err != nil {
		return "", err
	}
	if err := countTurns(parsed.Root, counted.Root.Nodes[0]); err != nil {
		return "", err
	}
	var out output
	if err := parsed.Execute(&out, map[string]any(variables)); err != nil {
		return "", err
	}
	return out.String(), nil
}

// output takes what a template writes, up to a limit.
type output struct{ strings.Builder }

func (o *output) Write(p []byte) (int, error) {
	if o.Len()+len(p) > maxMade {
		return 0, errTooLarge
	}
	return o.Builder.Write(p)
}

// countTurns puts a node at the beginning of each loop.
func countTurns(list *parse.ListNode, counted parse.Node) error {
	if list == nil {
		return nil
	}
	for _, node := range list.Nodes {
		var branch *parse.BranchNode
		switch n := node.(type) {
		case *parse.TemplateNode:
			return errTemplate
		case *parse.IfNode:
			branch = &n.BranchNode
		case *parse.WithNode:
			branch = &n.BranchNode
		case *parse.RangeNode:
			branch = &n.BranchNode
			branch.List.Nodes = append([]parse.Node{counted}, branch.List.Nodes...)
		default:
			continue
		}
		if err := errors.Join(countTurns(branch.List, counted), countTurns(branch.ElseList, counted)); err != nil {
			return err
		}
	}
	return nil
}

var errorType = reflect.TypeFor[error]()

// metered returns a function that counts its calls, and measures what it takes and makes.
func (m *meter) metered(function any) any {
	f := reflect.ValueOf(function)
	of := f.Type()
	takes := make([]reflect.Type, of.NumIn())
	for i := range takes {
		takes[i] = of.In(i)
	}
	gives := reflect.FuncOf(takes, []reflect.Type{of.Out(0), errorType}, of.IsVariadic())
	return reflect.MakeFunc(gives, func(args []reflect.Value) []reflect.Value {
		made, err := m.call(f, args)
		if err != nil {
			return []reflect.Value{reflect.Zero(of.Out(0)), reflect.ValueOf(&err).Elem()}
		}
		return []reflect.Value{made, reflect.Zero(errorType)}
	}).Interface()
}

func (m *meter) call(f reflect.Value, args []reflect.Value) (made reflect.Value, err error) {
	left := maxTaken
	for _, arg := range args {
		left = measure(arg, left)
	}
	if left < 0 {
		return made, errTooLarge
	}
	if err := m.step(); err != nil {
		return made, err
	}
	var results []reflect.Value
	if f.Type().IsVariadic() {
		results = f.CallSlice(args)
	} else {
		results = f.Call(args)
	}
	if len(results) > 1 && !results[1].IsNil() {
		return made, results[1].Interface().(error)
	}
	if measure(results[0], maxMade) < 0 {
		return made, errTooLarge
	}
	return results[0], nil
}

// measure returns what is left of a number of bytes behind a value; less than 0 if it
// does not suffice.
func measure(value reflect.Value, left int) int {
	if left < 0 {
		return left
	}
	switch value.Kind() {
	case reflect.String:
		return left - value.Len() - 1
	case reflect.Interface:
		return measure(value.Elem(), left-1)
	case reflect.Slice, reflect.Array:
		for i := 0; i < value.Len() && left >= 0; i++ {
			left = measure(value.Index(i), left-1)
		}
	case reflect.Map:
		for entries := value.MapRange(); left >= 0 && entries.Next(); {
			left = measure(entries.Value(), measure(entries.Key(), left))
		}
	default:
		return left - 1
	}
	return left
}
