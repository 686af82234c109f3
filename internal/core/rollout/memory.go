package rollout

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

const (
	// memoryLife is how long a pass believes what an earlier one saw or did while
	// the release is in progress.
	memoryLife = 30 * time.Second

	// verifyEvery is how often the objects of complete phases are looked at again
	// beyond what the watches report.
	verifyEvery = 5 * time.Minute

	// verifyAfter is when the objects are looked at once more after the release
	// became complete: longer than a request of a writer that lost can be under way.
	verifyAfter = time.Minute
)

// Memory is what the passes of one process over one workload cluster remember of
// a release, so that a pass that only looks at a gate asks for nothing else. It
// may be lost at any time: then the cluster is asked. The zero value remembers
// nothing. It is used by one pass at a time.
type Memory struct {
	digest string
	// seen is since when the fields of recent are remembered.
	seen time.Time
	recent
	// verified is when the objects of the complete phases were looked at last.
	verified time.Time
	// checked are those that are as the release wants them by the look that goes on
	// since checking. They are not looked at again before its end, so that an object
	// that never stays as it was applied is not applied in each pass.
	checked  map[*plan.Object]bool
	checking time.Time
	// jobs are the Jobs that were in the cluster, and whether they were complete.
	jobs map[*plan.Object]bool
	// taken are the objects that were taken over from another living set.
	taken map[*plan.Object]bool
	// ready are the workloads of steps that were current, by the first object of the
	// step: what was watched meanwhile. They stay so until a watch sees something.
	ready map[*plan.Object][]Target
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

// recall forgets what belongs to another release, or is too old at a time.
func (m *Memory) recall(digest string, now time.Time) {
	if m.digest != digest {
		*m = Memory{digest: digest}
	}
	if now.Sub(m.seen) > memoryLife {
		m.recent = recent{}
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

// dropChanged forgets the workloads of which a watch may have seen something since
// the last pass.
func (m *Memory) dropChanged(isQuiet func(Target) bool) {
	maps.DeleteFunc(m.ready, func(_ *plan.Object, watched []Target) bool {
		return slices.ContainsFunc(watched, func(target Target) bool { return !isQuiet(target) })
	})
	if m.ready == nil {
		m.ready = make(map[*plan.Object][]Target)
	}
}

// beginVerify begins a look at the objects of the complete phases, unless one goes
// on, and returns those that it is done with. One that began before settled, when
// there may have been a late writer, begins anew once that is over.
func (m *Memory) beginVerify(now, settled time.Time) map[*plan.Object]bool {
	late := m.checking.Before(settled) && !now.Before(settled)
	if m.checked == nil || late || now.Sub(m.checking) >= verifyEvery {
		m.checked, m.checking = make(map[*plan.Object]bool), now
	}
	return m.checked
}

// noteTaken remembers that an object was taken over from another living set.
func (m *Memory) noteTaken(object *plan.Object) {
	if m.taken == nil {
		m.taken = make(map[*plan.Object]bool)
	}
	m.taken[object] = true
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
func (m *Memory) settle() { m.recent = recent{parent: m.parent} }

// forget drops everything: what is there may not be what was left.
func (m *Memory) forget() { *m = Memory{} }
