package helm

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

// maxIncludes bounds how often a template is in the middle of being included, as
// Helm does.
const maxIncludes = 1000

// maxTpl bounds how many calls of tpl are in the middle of each other. Helm has no
// bound: a value of 20 bytes that calls itself would end the process.
const maxTpl = 64

var (
	errIncludes = errors.New("includes itself without end")
	errTpl      = errors.New("is called by what it runs, over and over")
)

// parse gives c the templates of the chart, for include and tpl. Those that do not
// parse are left to Helm's engine, which parses all of them first.
func (c *calls) parse(templates map[string]string) {
	own := c.functions()
	c.root = template.New("gotpl").Option("missingkey=zero").Funcs(engineFunctions()).Funcs(own)
	c.open = map[string]int{}
	for _, name := range parseOrder(templates) {
		if _, err := c.root.New(name).Parse(templates[name]); err != nil {
			return
		}
	}
}

// parseOrder returns the names of templates with those of charts before those of
// their dependencies last, as Helm's engine parses them: of several templates that
// define one name the last one counts.
func parseOrder(templates map[string]string) []string {
	depth := func(name string) int { return strings.Count(name, "/") }
	return slices.SortedFunc(maps.Keys(templates), func(a, b string) int {
		return cmp.Or(cmp.Compare(depth(b), depth(a)), cmp.Compare(b, a))
	})
}

// includeIn returns include for the templates of t.
func (c *calls) includeIn(t *template.Template) func(name string, data any) (string, error) {
	return func(name string, data any) (string, error) {
		if err := c.ctx.Err(); err != nil {
			return "", err
		}
		if c.open[name] > maxIncludes {
			return "", c.failed("include", errIncludes)
		}
		c.open[name]++
		defer func() { c.open[name]-- }()
		out := bounded{ctx: c.ctx, left: c.limits.OutputBytes}
		if err := t.ExecuteTemplate(&out, name, data); err != nil {
			return "", c.noted("include", err)
		}
		return out.text.String(), nil
	}
}

// tplIn returns tpl for the templates of t. What tpl runs sees them and what it
// defines itself.
func (c *calls) tplIn(t *template.Template) func(text string, data any) (string, error) {
	return func(text string, data any) (string, error) {
		if err := c.ctx.Err(); err != nil {
			return "", err
		}
		if c.tpls == maxTpl {
			return "", c.failed("tpl", errTpl)
		}
		c.tpls++
		defer func() { c.tpls-- }()
		inner, err := t.Clone()
		if err != nil {
			return "", err
		}
		// A clone forgets its options: https://github.com/golang/go/issues/43022.
		inner.Option("missingkey=zero")
		inner.Funcs(template.FuncMap{"include": c.includeIn(inner), "tpl": c.tplIn(inner)})
		run, err := inner.New(t.Name()).Parse(text)
		if err != nil {
			return "", err
		}
		out := bounded{ctx: c.ctx, left: c.limits.OutputBytes}
		if err := run.Execute(&out, data); err != nil {
			return "", c.noted("tpl", err)
		}
		return strings.ReplaceAll(out.text.String(), "<no value>", ""), nil
	}
}

// noted returns err, and takes down one of the bounds of the function.
func (c *calls) noted(function string, err error) error {
	if errors.Is(err, errLoop) && c.failure == nil {
		return c.failed(function, errLoop)
	}
	return err
}

// bounded collects text and ends with an error when it is too long or the context
// is done.
type bounded struct {
	ctx  context.Context //nolint:containedctx // a template writes without one
	left int64
	text strings.Builder
}

// Write takes the next bytes.
func (b *bounded) Write(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, errLoop
	}
	return b.text.Write(p)
}

// engineFunctions returns the functions of Helm's engine, which does not give them
// away: those of sprig without the environment, and its own.
func engineFunctions() template.FuncMap {
	all := sprig.TxtFuncMap()
	delete(all, "env")
	delete(all, "expandenv")
	maps.Copy(all, formatFunctions())
	all["getHostByName"] = func(string) string { return "" }
	all["lookup"] = func(string, string, string, string) (map[string]any, error) { return map[string]any{}, nil }
	return all
}
