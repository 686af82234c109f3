package workload

import (
	"fmt"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

const (
	// eventRate and eventBytes are how much of the events of one workload cluster is
	// read in a second, after a burst. A rollout on a thousand nodes has some 20 events
	// a second.
	eventRate, eventBurst = 50, 5_000
	eventBytes, byteBurst = 256 << 10, 16 << 20

	// wakeRate is how many events of one workload cluster notify in a second at once,
	// after a burst. Those of a release that is installed are fewer.
	wakeRate, wakeBurst = 0.5, 1_000

	// floodWindow collects what events notify that are more.
	floodWindow = 10 * time.Second

	// smallFrame is what every stream may hold of an event. Of those that are larger a
	// workload cluster has at most largeFrames at once, each for no longer than
	// frameTime.
	smallFrame  = 64 << 10
	largeFrames = 4
	frameTime   = 10 * time.Second

	// maxContents bounds what the streams of a workload cluster remember, in objects: it
	// can name any number. An inventory has no more than 10,000.
	maxContents = 40_000
)

var (
	errFlood       = fmt.Errorf("more events than %d a second, or more bytes than %d KiB", eventRate, eventBytes>>10)
	errLargeFrames = fmt.Errorf("more than %d events of more than %d KiB at once", largeFrames, smallFrame>>10)
)

// limits bound what the watches of one workload cluster cost. Its API server belongs
// to somebody else, and may send events without an end. A stream that is over them is
// closed rather than left unread: a connection holds megabytes of what is not read.
type limits struct {
	events, bytes, wakes *rate.Limiter
	large                *semaphore.Weighted
	contents             int // objects that are remembered; Watches.mu guards it
}

func newLimits() *limits {
	return &limits{
		events: rate.NewLimiter(eventRate, eventBurst),
		bytes:  rate.NewLimiter(eventBytes, byteBurst),
		wakes:  rate.NewLimiter(wakeRate, wakeBurst),
		large:  semaphore.NewWeighted(largeFrames),
	}
}

// admit reports whether one more event of so many bytes may be looked at.
func (l *limits) admit(size int) bool {
	now := time.Now()
	return l.events.AllowN(now, 1) && l.bytes.AllowN(now, size)
}
