package measure

import (
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// peakInterval is how often the peak is read: what a process takes in the last moment before
// it ends is missed.
const peakInterval = 20 * time.Millisecond

// PeakWatch follows the peak of the resident set of a process that may end at any time.
type PeakWatch struct {
	bytes atomic.Int64
	stop  chan struct{}
	done  sync.WaitGroup
}

// WatchPeak follows the peak until Stop.
func WatchPeak(pid int) *PeakWatch {
	w := &PeakWatch{stop: make(chan struct{})}
	w.done.Go(func() { w.follow(pid) })
	return w
}

func (w *PeakWatch) follow(pid int) {
	tick := time.NewTicker(peakInterval)
	defer tick.Stop()
	for {
		if status, err := os.ReadFile(procFile(pid, "status")); err == nil {
			if peak, err := parseMemory(string(status), "VmHWM:"); err == nil {
				w.bytes.Store(peak)
			}
		}
		select {
		case <-tick.C:
		case <-w.stop:
			return
		}
	}
}

// Stop ends the watch, and returns the last peak that was read, in bytes. 0: none was.
func (w *PeakWatch) Stop() int64 {
	close(w.stop)
	w.done.Wait()
	return w.bytes.Load()
}
