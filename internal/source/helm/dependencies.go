//go:build !no_helm

package helm

import (
	"maps"
	"slices"

	"helm.sh/helm/v4/pkg/chart/common"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// processDependencies puts those dependencies of c in force that the values want.
func processDependencies(c *chartv2.Chart, values map[string]any) error {
	if err := checkPresent(c); err != nil {
		return err
	}
	if err := checkTables(c, values, ""); err != nil {
		return err
	}
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return invalid("its dependencies do not fit its values")
	}
	return nil
}

// checkPresent refuses a chart that names dependencies which are not in its
// archive, as Helm's commands do.
func checkPresent(c *chartv2.Chart) error {
	var missing []string
	for _, wanted := range c.Metadata.Dependencies {
		if wanted != nil && findDependency(c, wanted) == nil {
			missing = append(missing, wanted.Name)
		}
	}
	if len(missing) > 0 {
		return invalid("its archive does not hold the dependencies that it names: %s", sortedList(missing))
	}
	return nil
}

// findDependency returns the chart that a dependency names, or nil.
func findDependency(c *chartv2.Chart, wanted *chartv2.Dependency) *chartv2.Chart {
	i := slices.IndexFunc(c.Dependencies(), func(d *chartv2.Chart) bool { return d.Name() == wanted.Name })
	if i < 0 {
		return nil
	}
	return c.Dependencies()[i]
}

// checkTables refuses values for a dependency that are no mapping, and globals of
// a dependency that are, inside of a global, a mapping where those of the chart are
// none or the other way. Helm would repeat the value in an error, or write it to the
// log. Of a whole global it writes the name only, and the dependency keeps its own.
func checkTables(c *chartv2.Chart, values map[string]any, path string) error {
	effective := loader.MergeMaps(c.Values, values)
	for name, dependency := range named(c) {
		given := effective[name]
		table, ok := given.(map[string]any)
		if given != nil && !ok {
			return invalid("values: %s must be a mapping: it holds the values of a dependency", path+name)
		}
		globals, _ := effective[common.GlobalKey].(map[string]any)
		own, _ := table[common.GlobalKey].(map[string]any)
		shared := sharedGlobals(globals, own)
		if field := mismatch(shared, own, ""); field != "" {
			return invalid("values: one of global.%s and %s.global.%s is a mapping and the other is not",
				text.Line(field, maxText), path+name, text.Line(field, maxText))
		}
		inner := loader.MergeMaps(table, map[string]any{common.GlobalKey: loader.MergeMaps(own, shared)})
		if err := checkTables(dependency, inner, path+name+"."); err != nil {
			return err
		}
	}
	return nil
}

// sharedGlobals returns the globals of a chart that a dependency takes: all but those
// that are a mapping where its own are none, or the other way.
func sharedGlobals(globals, own map[string]any) map[string]any {
	shared := maps.Clone(globals)
	maps.DeleteFunc(shared, func(key string, given any) bool {
		_, isTable := given.(map[string]any)
		_, ownTable := own[key].(map[string]any)
		return given != nil && own[key] != nil && isTable != ownTable
	})
	return shared
}

// named yields the dependencies by the name that their values have: that of the
// chart, or its alias. They come in the order of their names.
func named(c *chartv2.Chart) func(yield func(string, *chartv2.Chart) bool) {
	byName := map[string]*chartv2.Chart{}
	for _, dependency := range c.Dependencies() {
		byName[dependency.Name()] = dependency
	}
	for _, wanted := range c.Metadata.Dependencies {
		if wanted != nil && wanted.Alias != "" {
			byName[wanted.Alias] = findDependency(c, wanted)
		}
	}
	return func(yield func(string, *chartv2.Chart) bool) {
		for _, name := range slices.Sorted(maps.Keys(byName)) {
			if !yield(name, byName[name]) {
				return
			}
		}
	}
}

// mismatch returns the first field that is a mapping in only one of a and b.
func mismatch(a, b map[string]any, path string) string {
	for _, key := range slices.Sorted(maps.Keys(a)) {
		x, y := a[key], b[key]
		if x == nil || y == nil {
			continue
		}
		inA, isA := x.(map[string]any)
		inB, isB := y.(map[string]any)
		if isA != isB {
			return path + key
		}
		if field := mismatch(inA, inB, path+key+"."); field != "" {
			return field
		}
	}
	return ""
}

// sortedList returns the first names, sorted, each once.
func sortedList(names []string) string {
	return text.List(slices.Compact(slices.Sorted(slices.Values(names))), maxNamed, ", ")
}
