package rollout

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/drift"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// memoryLife is how long a pass believes what an earlier one saw or did while the
// release is in progress, and no watch would tell that it changed.
const memoryLife = 30 * time.Second

// Memory is what the passes of one process over one workload cluster remember of
// a release, so that a pass that only looks at a gate asks for nothing else. It
// may be lost at any time: then the cluster is asked. The zero value remembers
// nothing. It is used by one pass at a time.
type Memory struct {
	digest string
	plan   *plan.Plan
	// begun is true when the parent is known to be of the release.
	begun bool
	// settled is true when the release was complete. The parent is believed then only
	// while its watch is quiet: no pass that writes it next would find it changed.
	settled bool
	// seen is since when the fields of recent are remembered.
	seen time.Time
	recent
	// fields are those that the set holds of an object that is as it was applied.
	fields map[*plan.Object]drift.Sum
	// kept are the objects of complete phases that are as the release wants them, by
	// what is watched of them: they stay so until the watch sees something.
	kept map[Target][]*plan.Object
	// verified is when the objects of complete phases were looked at last.
	verified time.Time
	// redefined are the steps, by their first object, whose CustomResourceDefinitions
	// were repaired and are not served again yet.
	redefined map[*plan.Object]bool
	// repairs are how often objects of complete phases were applied again.
	repairs map[*plan.Object]*repairs
	// jobs are the Jobs that were in the cluster, and whether they were complete.
	jobs map[*plan.Object]bool
	// taken are the objects that were taken over from another living set.
	taken map[*plan.Object]bool
	// ready are the workloads of steps that were current, by the first object of the
	// step: what was watched meanwhile. They stay so until a watch sees something.
	ready map[*plan.Object][]Target
	// soft is since when steps behind the workloads of a step wait for these, by the
	// first object of the step.
	soft map[*plan.Object]time.Time
	// met are the phases whose readyWhen held, by their index, as in ready.
	met map[int][]Target
}

// recent is what is believed for memoryLife.
type recent struct {
	// parent is the parent as it was read or written last; nil if it was not.
	parent *corev1.ConfigMap
	// current are the objects that are as the release wants them.
	current map[*plan.Object]bool
	// absent are the objects that did not exist when they were looked for.
	absent map[*plan.Object]bool
	// sent are the objects that were sent: those whose answer was lost may exist.
	sent map[*plan.Object]bool
	// created are the kinds whose CustomResourceDefinition did not exist before the
	// release brought it: nobody else has objects of them.
	created map[schema.GroupKind]bool
	// polls are those of the CustomResourceDefinitions of a step, by its first object.
	polls map[*plan.Object]*poll
}

// recall forgets what belongs to another release, or is too old at a time. The
// parent is kept as long as its watch is quiet.
func (m *Memory) recall(release Release, now time.Time, parentIsQuiet bool) {
	if m.digest != release.Digest || m.plan != release.Plan {
		*m = m.carriedTo(release)
	}
	if now.Sub(m.seen) > memoryLife {
		parent := m.parent
		m.recent = recent{}
		if parentIsQuiet {
			m.parent, m.seen = parent, now
		}
	}
	if m.settled && !parentIsQuiet {
		m.parent = nil
	}
	if m.parent == nil {
		m.seen = now
	}
	if m.current == nil {
		m.current, m.absent = make(map[*plan.Object]bool), make(map[*plan.Object]bool)
		m.created, m.polls = make(map[schema.GroupKind]bool), make(map[*plan.Object]*poll)
		m.sent = make(map[*plan.Object]bool)
	}
}

// carriedTo returns the memory of another plan, with the fields of those objects that
// it has with the same content: what changed of them before they are looked at again
// is not lost. Of the same release, which was opened again, also what nobody could
// find out: which Jobs ran, what was repaired how often, what was taken over.
func (m *Memory) carriedTo(release Release) Memory {
	to := Memory{digest: release.Digest, plan: release.Plan, fields: carried(m.fields, release.Plan)}
	if to.digest == m.digest {
		to.jobs, to.taken = carried(m.jobs, to.plan), carried(m.taken, to.plan)
		to.repairs, to.redefined = carried(m.repairs, to.plan), carried(m.redefined, to.plan)
	}
	return to
}

// carried returns what is known of the objects of one plan, of those that another plan
// has with the same content.
func carried[T any](of map[*plan.Object]T, to *plan.Plan) map[*plan.Object]T {
	type content struct {
		ref manifest.Ref
		sha string
	}
	known := make(map[content]T, len(of))
	for object, value := range of {
		known[content{object.Ref, object.SHA256}] = value
	}
	all := make(map[*plan.Object]T, len(of))
	for _, variant := range to.Variants() {
		for object := range variant.All {
			if value, ok := known[content{object.Ref, object.SHA256}]; ok {
				all[object] = value
			}
		}
	}
	return all
}

// dropChanged forgets that of which a watch may have seen something since the last
// pass.
func (m *Memory) dropChanged(isQuiet func(Target) bool) {
	isNoisy := func(target Target) bool { return !isQuiet(target) }
	maps.DeleteFunc(m.kept, func(target Target, _ []*plan.Object) bool { return isNoisy(target) })
	maps.DeleteFunc(m.ready, func(_ *plan.Object, watched []Target) bool { return slices.ContainsFunc(watched, isNoisy) })
	maps.DeleteFunc(m.met, func(_ int, watched []Target) bool { return slices.ContainsFunc(watched, isNoisy) })
	if m.ready == nil {
		m.ready, m.kept = make(map[*plan.Object][]Target), make(map[Target][]*plan.Object)
		m.met = make(map[int][]Target)
	}
}

// keep remembers that an object is as the release wants it while the watch of the
// target is quiet.
func (m *Memory) keep(target Target, object *plan.Object) {
	m.kept[target] = append(m.kept[target], object)
}

// noteTaken remembers that an object was taken over from another living set.
func (m *Memory) noteTaken(object *plan.Object) {
	if m.taken == nil {
		m.taken = make(map[*plan.Object]bool)
	}
	m.taken[object] = true
}

// softSince returns since when steps wait for those workloads: from now on if they
// did not yet.
func (m *Memory) softSince(first *plan.Object, now time.Time) time.Time {
	if m.soft == nil {
		m.soft = make(map[*plan.Object]time.Time)
	}
	if _, ok := m.soft[first]; !ok {
		m.soft[first] = now
	}
	return m.soft[first]
}

// noteRedefined remembers whether the CustomResourceDefinitions of a step, by its
// first object, were repaired and are not served yet.
func (m *Memory) noteRedefined(first *plan.Object, waiting bool) {
	if m.redefined == nil {
		m.redefined = make(map[*plan.Object]bool)
	}
	m.redefined[first] = waiting
}

// pollOf returns the poll of the CustomResourceDefinitions of a step.
func (m *Memory) pollOf(step []plan.Object) *poll {
	first := &step[0]
	if m.polls[first] == nil {
		m.polls[first] = &poll{}
	}
	return m.polls[first]
}

// settle drops what is not needed of a release that is complete.
func (m *Memory) settle() { m.settled, m.recent = true, recent{parent: m.parent} }

// forget drops everything: what is there may not be what was left.
func (m *Memory) forget() {
	*m = Memory{digest: m.digest, plan: m.plan, fields: make(map[*plan.Object]drift.Sum)}
}
