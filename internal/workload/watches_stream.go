package workload

import (
	"context"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

// subscription is a target as it is watched.
type subscription struct {
	// target of the stream.
	target rollout.Target
	// part is the ID of the ApplySet whose members or parent matter; empty for every
	// object of the stream.
	part string
	// content is true if only what a set applied matters.
	content bool
}

// of returns the subscriber that a key is with the subscription.
func (s subscription) of(key types.NamespacedName) subscriber {
	return subscriber{key: key, part: s.part, content: s.content}
}

// subscriptionsOf returns the subscriptions for the targets. Those to the members
// of ApplySets share a stream of the members of all ApplySets, and so do parents.
func subscriptionsOf(targets []rollout.Target) []subscription {
	subscriptions := make([]subscription, 0, len(targets))
	for _, target := range targets {
		if s := subscriptionOf(target); !slices.Contains(subscriptions, s) {
			subscriptions = append(subscriptions, s)
		}
	}
	return subscriptions
}

func subscriptionOf(target rollout.Target) subscription {
	content := target.Content
	target.Content = false // one stream serves both
	key, id, isOne := strings.Cut(target.Label, "=")
	if target.Name != "" || !isOne || key != inventory.PartOfLabel && key != inventory.IDLabel {
		return subscription{target: target, content: content}
	}
	target.Label = key // a selector of its existence
	return subscription{target: target, part: id, content: content}
}

// subscriber is a key and what it wants to know of: which ApplySet's members, an
// empty part means every object, and whether only of what a set applied.
type subscriber struct {
	key     types.NamespacedName
	part    string
	content bool
}

// wants reports whether an event counts for the subscriber, if it changed what a
// set applied or did not.
func (s subscriber) wants(happened event, changed bool) bool {
	return (s.part == "" || slices.Contains(happened.parts, s.part)) && (changed || !s.content)
}

// stream is one watch in one workload cluster and who wants its events.
// Watches.mu guards all but the target.
type stream struct {
	target      rollout.Target
	subscribers sets.Set[subscriber]
	// quiet are the subscribers that looked while the stream was open, and for
	// which it had no event since.
	quiet sets.Set[subscriber]
	// contents are the hashes of what sets applied, by those of the objects that had
	// an event since the stream began.
	contents map[uint64]uint64
	// limits are those of the workload cluster.
	limits *limits
	// isOpen is true while the server sends events, or will send them from where it
	// ended, wasOpen once it did.
	isOpen, wasOpen bool
	// from is the resource version that the stream begins behind for the first time;
	// empty if that is when it is open.
	from string
	// stop ends a stream that runs.
	stop context.CancelFunc
}

func newStream(target rollout.Target, first subscriber, limits *limits) *stream {
	return &stream{
		target: target, limits: limits, subscribers: sets.New(first), quiet: sets.New[subscriber](),
		contents: make(map[uint64]uint64), stop: func() {},
	}
}

// beginAt has the stream begin where somebody looked, who knows the contents.
func (s *stream) beginAt(at beginning) {
	s.from = at.from.String()
	if s.from == "" || s.limits.contents+len(at.contents) > maxContents {
		return // the first event of each counts then
	}
	maps.Copy(s.contents, at.contents)
	s.limits.contents += len(at.contents)
}

// keys returns the keys that want events of the stream.
func (s *stream) keys() []types.NamespacedName {
	keys := make([]types.NamespacedName, 0, s.subscribers.Len())
	for who := range s.subscribers {
		keys = append(keys, who.key)
	}
	return keys
}

// look notes that a subscriber looks at what the stream is about, and reports
// whether it was quiet since the last time.
func (s *stream) look(who subscriber) bool {
	wasQuiet := s.quiet.Has(who)
	if s.isOpen {
		s.quiet.Insert(who)
	}
	return wasQuiet
}

// keysFor returns the keys that want an event, each once, for which the stream is
// no longer quiet. An object that lost the label comes with it once more, as
// deleted.
func (s *stream) keysFor(happened event) []types.NamespacedName {
	if s.subscribers.Len() == 0 {
		return nil // it was stopped, and remembers nothing any more
	}
	changed := s.changed(happened)
	var keys []types.NamespacedName
	for who := range s.subscribers {
		if !who.wants(happened, changed) {
			continue
		}
		s.quiet.Delete(who)
		if !slices.Contains(keys, who.key) {
			keys = append(keys, who.key)
		}
	}
	return keys
}

// changed notes an event, and reports whether what sets applied to its object may
// no longer be what it was at the last event. Of the first nobody can tell, nor of
// those that are more than can be remembered.
func (s *stream) changed(happened event) bool {
	before, known := s.contents[happened.object]
	if happened.kind == watch.Deleted {
		s.forgetObject(happened.object)
		return true
	}
	if known {
		s.contents[happened.object] = happened.content
		return before != happened.content
	}
	if s.limits.contents >= maxContents {
		s.forgetContents() // the next event of each counts then
	}
	if s.limits.contents < maxContents {
		s.contents[happened.object] = happened.content
		s.limits.contents++
	}
	return true
}

// forget forgets what was seen, when something may be missed.
func (s *stream) forget() {
	s.quiet.Clear()
	s.forgetContents()
}

func (s *stream) forgetContents() {
	s.limits.contents -= len(s.contents)
	clear(s.contents)
}

func (s *stream) forgetObject(object uint64) {
	if _, ok := s.contents[object]; ok {
		delete(s.contents, object)
		s.limits.contents--
	}
}
