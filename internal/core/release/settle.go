package release

import (
	"time"

	"github.com/Masterminds/semver/v3"
)

const (
	// newerAfter is how long a newer version of Kubernetes is read before it counts:
	// longer than HTTP/2 sticks to one of several API servers by chance.
	newerAfter = 2 * time.Minute

	// olderAfter is newerAfter for an older version: Kubernetes is not downgraded, so
	// it is more likely that one API server was left behind.
	olderAfter = 30 * time.Minute

	// readAgain is when to read a version again that differs from the known one.
	readAgain = 20 * time.Second

	// maxGap is how much of the time between two readings counts.
	maxGap = 30 * time.Second
)

// Reading is the version of Kubernetes that a cluster answers with. While an HA
// control plane is upgraded it answers with one version or the other. The zero
// Reading is none.
type Reading struct {
	// Version that was read last.
	Version string
	// Steady is for how long no other version was read. Of a time without a reading
	// 30 seconds count.
	Steady time.Duration
	// At is when it was read last.
	At time.Time
}

// Add returns the Reading after a version was read at the given time.
func (r Reading) Add(version string, at time.Time) Reading {
	if r.Version != version {
		return Reading{Version: version, At: at}
	}
	r.Steady += min(max(0, at.Sub(r.At)), maxGap)
	r.At = at
	return r
}

// Settled is the version of Kubernetes to choose a release by.
type Settled struct {
	// Version as the cluster answered with it.
	Version string
	// Again is when to read the version again, since another one was read that may
	// become the one to choose by; 0 if none was.
	Again time.Duration
}

// Settle returns the version of Kubernetes to choose a release by. That is the known
// version, by which the last release was chosen, until another one was read steadily:
// a newer one for 2 minutes, an older one for 30. Without a known version it is what
// was read.
func Settle(known string, r Reading) Settled {
	before, err := parseKubernetes(known)
	if r.Version == known || before == nil || err != nil {
		return Settled{Version: r.Version}
	}
	if r.Steady >= settleTime(before, r.Version) {
		return Settled{Version: r.Version}
	}
	return Settled{Version: known, Again: readAgain}
}

// settleTime is how long a version must be read before it takes the place of the one
// before. One that cannot be parsed may be the answer of something else.
func settleTime(before *semver.Version, read string) time.Duration {
	after, err := parseKubernetes(read)
	if err != nil || after == nil || after.LessThan(before) {
		return olderAfter
	}
	return newerAfter
}
