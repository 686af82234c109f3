package simulator

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

const (
	// As an API server has it: bookmarks come every minute and two seconds before the
	// end, and a watch that sets no time lasts half an hour at least.
	bookmarkPeriod   = time.Minute
	bookmarkLead     = 2 * time.Second
	defaultWatchTime = 30 * time.Minute
)

// watcher is a watch that is open.
type watcher struct {
	storage  storage
	resource *resource
	of       selection
	form     form
	// reached is the revision up to which everything was sent.
	reached  uint64
	restarts int
	// woken holds one token once something happened.
	woken chan struct{}
}

// poke wakes the watcher.
func (w *watcher) poke() {
	select {
	case w.woken <- struct{}{}:
	default: // It is awake.
	}
}

// serveWatch answers a watch.
func (c *Cluster) serveWatch(a *answer, q *request, r *resource) {
	of, err := selected(q)
	if err != nil {
		a.status(statusOf(err))
		return
	}
	w := &watcher{storage: r.storage(), resource: r, of: of, form: formOf(q), woken: make(chan struct{}, 1)}
	first, err := c.begin(w, q)
	if err != nil {
		a.status(statusOf(err))
		return
	}
	defer c.leave(w)
	a.Header().Set("Content-Type", contentJSON)
	a.WriteHeader(http.StatusOK)
	stream := &stream{answer: a, watcher: w, flush: http.NewResponseController(a.ResponseWriter).Flush}
	stream.send(first...)
	stream.follow(q)
}

// begin opens a watch, and returns the frames that it begins with: without a resource
// version, or from 0, an event for each object that is there.
func (c *Cluster) begin(w *watcher, q *request) ([]byteParts, error) {
	query := q.URL.Query()
	from, err := parseRevision(query.Get("resourceVersion"))
	if err != nil {
		return nil, err
	}
	initial := from == 0
	if given := query.Get("sendInitialEvents"); given != "" {
		initial = given == "true"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watchers == nil {
		c.watchers = make(map[*watcher]struct{})
	}
	c.watchers[w] = struct{}{}
	c.seen.watching(1)
	w.reached, w.restarts = from, c.restarts
	if from == 0 || initial {
		w.reached = c.revision
	}
	if !initial {
		w.poke()
		return nil, nil
	}
	frames := c.initial(w)
	if query.Get("sendInitialEvents") == "true" {
		frames = append(frames, c.bookmark(w, `,"annotations":{"k8s.io/initial-events-end":"true"}`))
	}
	return frames, nil
}

func parseRevision(given string) (uint64, error) {
	if given == "" {
		return 0, nil
	}
	revision, err := strconv.ParseUint(given, 10, 64)
	if err != nil {
		return 0, apierrors.NewBadRequest(fmt.Sprintf("Invalid value: %q: %v", given, err))
	}
	return revision, nil
}

// leave ends a watch.
func (c *Cluster) leave(w *watcher) {
	c.mu.Lock()
	delete(c.watchers, w)
	c.mu.Unlock()
	c.seen.watching(-1)
}

// byteParts is JSON in parts.
type byteParts [][]byte

// initial returns an event for each object that is there. The caller holds c.mu.
func (c *Cluster) initial(w *watcher) []byteParts {
	var frames []byteParts
	if kind := c.kinds[w.storage]; kind != nil {
		for _, o := range kind.objects {
			if w.of.has(o.state) {
				frames = append(frames, c.frame(w, watch.Added, o))
			}
		}
	}
	return frames
}

func (c *Cluster) frame(w *watcher, what watch.EventType, o *object) byteParts {
	parts := byteParts{fmt.Appendf(nil, `{"type":%q,"object":`, what)}
	parts = append(parts, c.parts(w.resource, o, w.form)...)
	return append(parts, []byte("}\n"))
}

// bookmark returns the frame that says what a watch has reached.
func (c *Cluster) bookmark(w *watcher, annotations string) byteParts {
	kind, version := w.resource.kind, w.resource.groupVersion().String()
	if w.form == metadataOnly {
		kind, version = "PartialObjectMetadata", "meta.k8s.io/v1"
	}
	return byteParts{fmt.Appendf(nil,
		`{"type":"BOOKMARK","object":{"kind":%q,"apiVersion":%q,"metadata":{"resourceVersion":"%d"%s}}}`+"\n",
		kind, version, w.reached, annotations)}
}

// news returns the frames of what happened since the last call, and whether the watch
// is over: an API server that does not know all of it says so and ends it.
func (c *Cluster) news(w *watcher) (frames []byteParts, isOver bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.restarts != c.restarts {
		return nil, true
	}
	changes, ok := c.log.since(w.reached)
	if !ok {
		return []byteParts{expired(w.reached, c.log.start)}, true
	}
	for _, happened := range changes {
		if happened.storage == w.storage {
			if what := w.sees(happened); what != "" {
				frames = append(frames, c.frame(w, what, happened.seenAs(what)))
			}
		}
	}
	w.reached = max(w.reached, c.revision)
	return frames, false
}

// sees returns as what a change is seen, "" if it is not: an object that is no longer
// selected is gone.
func (w *watcher) sees(happened change) watch.EventType {
	before, after := w.of.has(happened.before), w.of.has(happened.after.state)
	switch {
	case happened.isEnd && (after || before), before && !after:
		return watch.Deleted
	case before && after:
		return watch.Modified
	case after && !happened.isEnd:
		return watch.Added
	}
	return ""
}

// seenAs returns the object as a watch sees it: one that is no longer selected as it was
// before.
func (happened change) seenAs(what watch.EventType) *object {
	if what != watch.Deleted || happened.isEnd {
		return happened.after
	}
	last := *happened.after
	last.state = happened.before
	return &last
}

func expired(from, start uint64) byteParts {
	status := statusOf(apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", from, start)))
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	return byteParts{fmt.Appendf(nil, `{"type":"ERROR","object":%s}`+"\n", mustJSON(status))}
}

// stream sends the frames of a watch.
type stream struct {
	answer  *answer
	watcher *watcher
	flush   func() error
	failed  error
}

// send sends frames.
func (s *stream) send(frames ...byteParts) {
	for _, frame := range frames {
		for _, part := range frame {
			if _, err := s.answer.Write(part); err != nil {
				s.failed = err
			}
		}
	}
	if err := s.flush(); err != nil {
		s.failed = err
	}
	s.answer.count()
}

// follow sends what happens until the time of the watch is over or the client is gone.
func (s *stream) follow(q *request) {
	now := time.Now()
	end := now.Add(watchTime(q))
	bookmarks := q.URL.Query().Get("allowWatchBookmarks") == "true"
	next := nextBookmark(now, end, bookmarks)
	timer := time.NewTimer(time.Until(next))
	defer timer.Stop()
	for s.failed == nil {
		select {
		case <-q.Context().Done():
			return
		case <-s.watcher.woken:
			if s.pass() {
				return
			}
		case now = <-timer.C:
			if !now.Before(end) || s.pass() {
				return
			}
			if bookmarks {
				s.send(s.answer.cluster.bookmark(s.watcher, ""))
			}
			next = nextBookmark(now, end, bookmarks)
			timer.Reset(time.Until(next))
		}
	}
}

// pass sends what happened, and reports whether the watch is over.
func (s *stream) pass() bool {
	frames, isOver := s.answer.cluster.news(s.watcher)
	if len(frames) > 0 {
		s.send(frames...)
	}
	return isOver
}

// watchTime returns how long a watch is to last.
func watchTime(q *request) time.Duration {
	if seconds, err := strconv.Atoi(q.URL.Query().Get("timeoutSeconds")); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	return defaultWatchTime
}

// nextBookmark returns when the next bookmark is due, or the end.
func nextBookmark(now, end time.Time, bookmarks bool) time.Time {
	last := end.Add(-bookmarkLead)
	if !bookmarks || !now.Before(last) {
		return end
	}
	if periodic := now.Add(bookmarkPeriod); periodic.Before(last) {
		return periodic
	}
	return last
}
