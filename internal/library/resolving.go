package library

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/edit"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
)

// resolving is a release on its way to its parts. A chart is told the kinds of the
// sources that it can build on: those of earlier phases, and those of its own phase
// that are no charts or stand before it. No chart waits for one behind it, so none
// waits for itself.
type resolving struct {
	*resolutions

	owner      types.NamespacedName
	release    v1alpha1.Release
	kubernetes string
	// answers by phase and source.
	answers [][]answer
}

// answer is what is known of a source.
type answer struct {
	// parts of the source; nil if they are not known.
	parts []source.Part
	// err is why there are no parts, or why they could not be resolved again. It is
	// nil for a chart that was not asked about, because it waits for another source.
	err error
	// unread is why it is not known which kinds the parts define.
	unread error
}

// run finds the answers: those of charts last, in their order. What the charts wait
// for is fetched side by side.
func (s *resolving) run() {
	s.answers = make([][]answer, len(s.release.Phases))
	for i, phase := range s.release.Phases {
		s.answers[i] = make([]answer, len(phase.Sources))
		for j, src := range phase.Sources {
			if src.Helm == nil {
				s.ask(i, j, nil)
			}
		}
	}
	for i, phase := range s.release.Phases {
		for j, src := range phase.Sources {
			if src.Helm != nil {
				s.chart(i, j)
			}
		}
	}
}

// ask fills in the parts of a source.
func (s *resolving) ask(phase, src int, apiVersions []string) {
	query := source.Query{
		Namespace: s.owner.Namespace, Source: s.release.Phases[phase].Sources[src], APIVersions: apiVersions,
	}
	if query.Source.Helm != nil {
		query.Kubernetes = minorOf(s.kubernetes)
	}
	answer := &s.answers[phase][src]
	answer.parts, answer.err = s.parts(s.owner, query)
}

// chart asks about a chart unless what it is to be told is not known yet. The errors
// of the other sources then say why.
func (s *resolving) chart(phase, src int) {
	var told []string
	known := true
	for i := range s.release.Phases[:phase+1] {
		for j := range s.answers[i] {
			if i == phase && j >= src && s.release.Phases[i].Sources[j].Helm != nil {
				continue
			}
			kinds, ok := s.kindsOf(i, j)
			told, known = append(told, kinds...), known && ok
		}
	}
	if known {
		slices.Sort(told)
		s.ask(phase, src, slices.Compact(told))
	}
}

// kindsOf returns the kinds that a source defines, false while they are not known.
func (s *resolving) kindsOf(phase, src int) ([]string, bool) {
	answer := &s.answers[phase][src]
	if answer.parts == nil {
		return nil, false
	}
	var kinds []string
	kinds, answer.unread = s.kinds.of(s.owner, answer.parts)
	return kinds, answer.unread == nil
}

// maxParts bounds the parts of a release: layers, keys and files.
const maxParts = 4096

// result returns the release with its parts, or the errors of the sources that are
// not known.
func (s *resolving) result() (resolved, error) {
	result := resolved{
		phases: make([]resolvedPhase, len(s.release.Phases)), definitions: edit.DefinitionsOf(s.release),
	}
	defined, err := result.definitions.Key()
	result.defined = defined
	problems, errs := []error{}, []error{err}
	for i, phase := range s.release.Phases {
		result.phases[i].name, result.phases[i].namespace = phase.Name, phase.DefaultNamespace
		for _, answer := range s.answers[i] {
			errs = append(errs, fault.Wrap("phase "+phase.Name, answer.unread))
			err := fault.Wrap("phase "+phase.Name, answer.err)
			if answer.parts == nil {
				errs = append(errs, err)
				continue
			}
			problems = append(problems, err)
			result.phases[i].parts = slices.Concat(result.phases[i].parts, answer.parts)
		}
	}
	result.problem = fault.Join(problems...)
	if parts := len(slices.Collect(result.all())); parts > maxParts {
		errs = append(errs, fault.Stallf(v1alpha1.LimitExceededReason,
			"the sources of the release have %d parts, the limit is %d", parts, maxParts))
	}
	return result, fault.Join(errs...)
}
