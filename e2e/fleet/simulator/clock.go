package simulator

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// clock carries out what is to happen later: one goroutine for all clusters.
type clock struct {
	mu    sync.Mutex
	due   dues
	woken chan struct{}
}

// due is something that is to happen.
type due struct {
	at time.Time
	do func()
}

// dues are a heap of what is to happen, the next first.
type dues []due

// Len is of heap.Interface, as are the others.
func (d dues) Len() int { return len(d) }

// Less reports which is first.
func (d dues) Less(i, j int) bool { return d[i].at.Before(d[j].at) }

// Swap exchanges two.
func (d dues) Swap(i, j int) { d[i], d[j] = d[j], d[i] }

// Push adds one.
func (d *dues) Push(x any) { *d = append(*d, x.(due)) }

// Pop takes the last one.
func (d *dues) Pop() any {
	last := len(*d) - 1
	popped := (*d)[last]
	(*d)[last] = due{}
	*d = (*d)[:last]
	return popped
}

func newClock() *clock { return &clock{woken: make(chan struct{}, 1)} }

// after has something happen later.
func (c *clock) after(lasting time.Duration, do func()) {
	c.mu.Lock()
	heap.Push(&c.due, due{time.Now().Add(lasting), do})
	c.mu.Unlock()
	select {
	case c.woken <- struct{}{}:
	default: // It looks anyway.
	}
}

// next takes what is due. Otherwise it returns how long until something is.
func (c *clock) next() (do func(), left time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.due) == 0 {
		return nil, time.Hour
	}
	if left := time.Until(c.due[0].at); left > 0 {
		return nil, left
	}
	return heap.Pop(&c.due).(due).do, 0
}

// run carries out what is due until ctx is done.
func (c *clock) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		do, left := c.next()
		if do != nil {
			do()
			continue
		}
		timer.Reset(left)
		select {
		case <-ctx.Done():
		case <-c.woken:
		case <-timer.C:
		}
	}
}
