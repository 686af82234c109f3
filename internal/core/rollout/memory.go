package rollout

import (
	"time"

	corev1 "k8s.io/api/core/v1"

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
	// became complete.
	verifyAfter = time.Minute
)

// Memory is what the passes of one process over one workload cluster remember of
// a release, so that a pass that only looks at a gate asks for nothing else. It
// may be lost at any time: then the cluster is asked. The zero value remembers
// nothing. It is used by one pass at a time.
type Memory struct {
	digest string
	// parent is the parent as it was read or written last; seen is when it was read.
	parent *corev1.ConfigMap
	seen   time.Time
	// current are the objects that are as the release wants them, since seen.
	current map[*plan.Object]bool
	// verified is when the objects of the complete phases were looked at last.
	verified time.Time
	// inProgress is true while the release is.
	inProgress bool
}

// recall returns what is remembered of a release at a time; nothing when it is
// too old.
func (m *Memory) recall(digest string, now time.Time) (parent *corev1.ConfigMap, current map[*plan.Object]bool) {
	if m.digest != digest {
		*m = Memory{digest: digest}
	}
	if now.Sub(m.seen) > memoryLife {
		m.parent, m.current = nil, nil
	}
	if m.parent == nil {
		m.seen = now
	}
	if m.current == nil {
		m.current = make(map[*plan.Object]bool)
	}
	return m.parent, m.current
}

// settle drops what is not needed of a release that completed at a time, and has
// its objects looked at once more soon: a writer that lost may have been late.
func (m *Memory) settle(now time.Time) {
	m.current = nil
	if m.inProgress {
		m.inProgress = false
		m.verified = now.Add(verifyAfter - verifyEvery)
	}
}

// forget drops everything: what is there may not be what was left.
func (m *Memory) forget() { *m = Memory{} }
