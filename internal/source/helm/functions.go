package helm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
)

// failure is why a function that a template called gave an error.
type failure struct {
	// function is the one that was called.
	function string
	// message that the template gave to fail or required.
	message string
	// err is an error of a function of this package, nil for fail and required.
	err error
}

// calls are the functions that take the place of Helm's in one rendering.
type calls struct {
	ctx    context.Context //nolint:containedctx // the engine passes none to a function
	limits Limits
	// failure is the last one. A template cannot go on after an error.
	failure *failure

	// root holds the templates of the chart for include and tpl; see parse.
	root *template.Template
	// open counts by name the templates that are in the middle of being included.
	open map[string]int
	// tpls counts the calls of tpl that are in the middle of each other.
	tpls int

	// random is what becomes of the functions that vary.
	random Random
	// placeholders are what those give in place of what varies.
	placeholders *placeholders
	// varied counts the calls of functions that vary.
	varied int
}

var (
	errNoDate     = errors.New("takes the time of the day for what is no date" + wayOut)
	errLoop       = errors.New("makes more than what a limit allows")
	errNotGreater = errors.New("is called with a count below 0")
)

// functions returns the functions that differ from Helm's.
func (c *calls) functions() template.FuncMap {
	all := template.FuncMap{
		"fail":      c.fail,
		"required":  c.required,
		"keys":      sortedKeys,
		"values":    sortedValues,
		"repeat":    c.repeat,
		"until":     c.until,
		"untilStep": c.untilStep,
		"seq":       c.seq,
	}
	maps.Copy(all, c.dates())
	maps.Copy(all, c.varyingFunctions())
	all["include"] = func(name string, data any) (string, error) { return c.includeIn(c.root)(name, data) }
	all["tpl"] = func(text string, data any) (string, error) { return c.tplIn(c.root)(text, data) }
	return all
}

// dates returns the functions that write a date.
func (c *calls) dates() template.FuncMap {
	return template.FuncMap{
		"date":         c.dateIn("date"),
		"htmlDate":     func(date any) (string, error) { return c.dateIn("htmlDate")("2006-01-02", date) },
		"dateInZone":   c.dateInZone("dateInZone"),
		"date_in_zone": c.dateInZone("date_in_zone"),
		"htmlDateInZone": func(date any, zone string) (string, error) {
			return c.dateInZone("htmlDateInZone")("2006-01-02", date, zone)
		},
	}
}

func (c *calls) failed(function string, err error) error {
	c.failure = &failure{function: function, err: err}
	return err
}

func (c *calls) fail(message string) (string, error) {
	c.failure = &failure{function: "fail", message: message}
	return "", errors.New("fail")
}

// required returns value unless it is missing or an empty string, as Helm does.
func (c *calls) required(message string, value any) (any, error) {
	if value != nil && value != "" {
		return value, nil
	}
	c.failure = &failure{function: "required", message: message}
	return nil, errors.New("required")
}

// sortedKeys is keys with an order.
func sortedKeys(mappings ...map[string]any) []string {
	var all []string
	for _, mapping := range mappings {
		all = append(all, slices.Sorted(maps.Keys(mapping))...)
	}
	return all
}

// sortedValues is values in the order of their keys.
func sortedValues(mapping map[string]any) []any {
	all := make([]any, 0, len(mapping))
	for _, key := range slices.Sorted(maps.Keys(mapping)) {
		all = append(all, mapping[key])
	}
	return all
}

func (c *calls) repeat(count int, text string) (string, error) {
	if count < 0 {
		return "", c.failed("repeat", errNotGreater)
	}
	if int64(count) > c.limits.OutputBytes || int64(count)*int64(len(text)) > c.limits.OutputBytes {
		return "", c.failed("repeat", errLoop)
	}
	return strings.Repeat(text, count), nil
}

func (c *calls) until(count int) ([]int, error) {
	step := 1
	if count < 0 {
		step = -1
	}
	return c.list("until", 0, count, step)
}

func (c *calls) untilStep(start, stop, step int) ([]int, error) {
	return c.list("untilStep", start, stop, step)
}

// list returns the numbers from start up or down to, and without, stop.
func (c *calls) list(function string, start, stop, step int) ([]int, error) {
	if err := c.ctx.Err(); err != nil {
		return nil, c.failed(function, err)
	}
	numbers := []int{}
	if step == 0 || (step > 0) != (stop > start) {
		return numbers, nil
	}
	for n := start; (step > 0 && n < stop) || (step < 0 && n > stop); n += step {
		if len(numbers) == c.limits.LoopSteps {
			return nil, c.failed(function, errLoop)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// seq gives numbers as a text, as the command of that name does: from 1 or the
// first to the last one, by the one between them.
func (c *calls) seq(params ...int) (string, error) {
	start, step, end := 1, 1, 0
	switch len(params) {
	case 1:
		end = params[0]
	case 2:
		start, end = params[0], params[1]
	case 3:
		start, step, end = params[0], params[1], params[2]
	default:
		return "", nil
	}
	beyond := end + 1
	if end < start {
		beyond = end - 1
		if len(params) < 3 {
			step = -1
		}
	}
	numbers, err := c.list("seq", start, beyond, step)
	return strings.Trim(fmt.Sprint(numbers), "[]"), err
}

// dateIn returns the function that writes a date in the zone of the process.
func (c *calls) dateIn(function string) func(layout string, date any) (string, error) {
	return func(layout string, date any) (string, error) {
		return c.dateInZone(function)(layout, date, "Local")
	}
}

// dateInZone returns the function that writes a date in a zone. That of sprig
// takes the current time for a value that is no date.
func (c *calls) dateInZone(function string) func(layout string, date any, zone string) (string, error) {
	inZone, _ := sprig.TxtFuncMap()["dateInZone"].(func(string, any, string) string)
	return func(layout string, date any, zone string) (string, error) {
		switch date.(type) {
		case time.Time, *time.Time, int, int32, int64:
			return inZone(layout, date, zone), nil
		}
		switch c.random {
		case TrueRandom:
			return inZone(layout, date, zone), nil
		case PlaceholderRandom:
			return inZone(layout, placeholderTime, zone), nil
		case RefuseRandom:
		}
		return "", c.failed(function, errNoDate)
	}
}
