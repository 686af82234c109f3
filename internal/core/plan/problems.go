package plan

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// maxProblems is the most problems that a message names.
const maxProblems = 10

// problem is one thing that is wrong with a release.
type problem struct{ text, reason string }

// problems collects what is wrong, in any order.
type problems []problem

// add adds a problem that stays until the source is changed.
func (p *problems) add(reason, format string, args ...any) {
	*p = append(*p, problem{text: fmt.Sprintf(format, args...), reason: reason})
}

// err returns the problems as one error of class Stall, or nil if there are
// none. The text is sorted and names the first ten, each once; the reason is that of
// the first one.
func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortFunc(p, func(a, b problem) int {
		return cmp.Or(strings.Compare(a.text, b.text), strings.Compare(a.reason, b.reason))
	})
	p = slices.Compact(p) // both variants of a plan may have it
	texts := make([]string, len(p))
	for i, problem := range p {
		texts[i] = problem.text
	}
	return fault.Stall(p[0].reason, errors.New(text.List(texts, maxProblems, "; ")))
}
