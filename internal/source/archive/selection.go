package archive

import (
	"path"
	"slices"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// selection is which files of an archive are read, and in which order. An empty one
// is all manifests, in lexical order.
type selection []choice

// choice is the file with a path, or all manifests that fit a pattern.
type choice struct {
	path string
	// pattern is nil for a path.
	pattern pattern
}

// newSelection returns the selection of the wanted files.
func newSelection(wanted []string, isArchive bool, limits Limits) (selection, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	if !isArchive {
		return nil, fault.Stallf(v1alpha1.SourceInvalidReason,
			"file %s cannot be chosen from what is not an archive", text.Quote(wanted[0], maxNameText))
	}
	if len(wanted) > limits.Files {
		return nil, exceeded("%d files are wanted, over the limit of %d", len(wanted), limits.Files)
	}
	chosen := make(selection, 0, len(wanted))
	for _, name := range wanted {
		one, problem := newChoice(name)
		if problem == "" && slices.ContainsFunc(chosen, func(c choice) bool { return c.path == one.path }) {
			problem = "wanted twice"
		}
		if problem != "" {
			return nil, fault.Stallf(v1alpha1.SourceInvalidReason, "file %s: %s", text.Quote(name, maxNameText), problem)
		}
		chosen = append(chosen, one)
	}
	return chosen, nil
}

// newChoice returns what a wanted name stands for, or what is wrong with it.
func newChoice(name string) (c choice, problem string) {
	if c.path, problem = cleanName(name); problem != "" || !isPattern(c.path) {
		return c, problem
	}
	c.pattern, problem = newPattern(c.path)
	return c, problem
}

// selects reports whether the file with the path is read.
func (s selection) selects(path string) bool {
	if len(s) == 0 {
		return isManifest(path) && !isAppleDouble(path)
	}
	return slices.ContainsFunc(s, func(c choice) bool { return c.selects(path) })
}

func (c choice) selects(path string) bool {
	if c.pattern == nil {
		return path == c.path
	}
	return isManifest(path) && !isAppleDouble(path) && c.pattern.fits(path)
}

// order returns the files to read, of those that were found, which are sorted. None is
// there twice. It is an error if a choice selects none of them.
func (s selection) order(found []string) ([]string, error) {
	if len(s) == 0 {
		if len(found) == 0 {
			return nil, invalid("no .yaml, .yml or .json file in the archive")
		}
		return found, checkNoChart(found)
	}
	var order []string
	seen := make(map[string]bool, len(found))
	for _, c := range s {
		fitting := 0
		for _, path := range found {
			if !c.selects(path) {
				continue
			}
			if fitting++; !seen[path] {
				order = append(order, path)
			}
			seen[path] = true
		}
		if fitting == 0 {
			return nil, c.missing()
		}
	}
	return order, nil
}

// missing returns the error of a choice that selects nothing.
func (c choice) missing() error {
	if c.pattern == nil {
		return invalid("no file %s in the archive", text.Quote(c.path, maxNameText))
	}
	return invalid("no .yaml, .yml or .json file in the archive fits the pattern %s", text.Quote(c.path, maxNameText))
}

// checkNoChart returns an error for the files of a Helm chart, which are templates.
func checkNoChart(found []string) error {
	for _, name := range found {
		folder, base := path.Split(name)
		if base == "Chart.yaml" && strings.Count(folder, "/") <= 1 &&
			slices.ContainsFunc(found, func(other string) bool { return strings.HasPrefix(other, folder+"templates/") }) {
			return invalid("it is a Helm chart: use a helm source, or name the files to read in files")
		}
	}
	return nil
}
