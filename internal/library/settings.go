package library

import (
	"errors"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/slots"
)

// Settings are what can change while a Library is used. All fields are required.
type Settings struct {
	// MaxBytes bounds the sources of one release together, in bytes, unpacked.
	MaxBytes int64
	// Limits bounds the objects of a release. Of those of one object, for which memory is
	// set aside, New has the last word.
	Limits manifest.Limits
	// Archives bounds what is unpacked.
	Archives archive.Limits
	// Concurrency is how much is done at once.
	Concurrency Concurrency
}

// Concurrency is how much is done at once. Resolving and downloading wait for servers, of
// which some are slow or hostile; indexing takes memory and processors, and always ends.
type Concurrency struct {
	Resolving, Downloading, Indexing Share
}

// Share is how much is done at once for each namespace, and for all together.
type Share struct {
	Each, All int
}

// DefaultConcurrency returns 8 of 32 to resolve, 8 of 64 to download, and 4 of 8 to index.
func DefaultConcurrency() Concurrency {
	return Concurrency{
		Resolving: Share{Each: 8, All: 32}, Downloading: Share{Each: 8, All: 64}, Indexing: Share{Each: 4, All: 8},
	}
}

func (s Share) slots() *slots.Slots { return slots.New(s.Each, s.All) }

func (s Settings) validate() error {
	c := s.Concurrency
	switch {
	case s.MaxBytes <= 0:
		return errors.New("library: MaxBytes must be positive")
	case s.Limits.Object <= 0, s.Limits.Objects <= 0, s.Limits.Nesting <= 0, s.Limits.Nodes <= 0:
		return errors.New("library: every field of Limits must be positive")
	case s.Archives.Bytes <= 0, s.Archives.Ratio <= 0, s.Archives.Files <= 0, s.Archives.Name <= 0, s.Archives.Window <= 0:
		return errors.New("library: every field of Archives must be positive")
	case min(c.Resolving.Each, c.Resolving.All, c.Downloading.Each, c.Downloading.All, c.Indexing.Each, c.Indexing.All) <= 0:
		return errors.New("library: every field of Concurrency must be positive")
	}
	return nil
}

// Configure has other settings hold for what is done from now on. They must be as New
// wants them.
func (l *Library) Configure(settings Settings) {
	now := l.settings.Load().Limits
	settings.Limits.Object, settings.Limits.Nesting, settings.Limits.Nodes = now.Object, now.Nesting, now.Nodes
	l.settings.Store(&settings)
	l.releases.plans.clear() // they were made within other limits
	for slots, share := range map[*slots.Slots]Share{
		l.resolutions.slots:        settings.Concurrency.Resolving,
		l.releases.parts.downloads: settings.Concurrency.Downloading,
		l.releases.parts.builds:    settings.Concurrency.Indexing,
	} {
		slots.Resize(share.Each, share.All)
	}
}

// LookAgainAtAll has all sources resolved again, and those that failed fetched, the next
// time they are asked for, and tells everybody whom they concern: where they may come from,
// or what they may be, has changed. What is delivered stays as it is.
func (l *Library) LookAgainAtAll() {
	l.resolutions.jobs.renewAll()
	l.releases.parts.jobs.renewAll()
	l.clusters.jobs.renewAll()
}

// renewAll makes all jobs due now, those that run once more, and notifies their owners.
func (j *jobs[S, R]) renewAll() {
	owners := j.makeDue(func(*job[S, R]) bool { return true })
	every, none := func(S) bool { return true }, func(S) bool { return false }
	j.invalidate(every, none)
	for _, owner := range owners {
		j.notify(owner)
	}
}
