package main

import (
	"bytes"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// traffic is what a proxy counted.
type traffic struct {
	requests, writes, refused int
	// needless are writes to objects of the release that the step did not have to change.
	needless int
	// reads are the most gets and lists of one kind, which is mostRead, watches the most watches.
	reads, watches int
	mostRead       string
	// sent and received went over the wire, with headers and TLS.
	sent, received int64
}

// trafficOf counts the requests. unchanged are the paths of what need not be written.
func trafficOf(requests []testenv.Request, unchanged map[string]bool) traffic {
	var t traffic
	reads, watches := map[[2]string]int{}, map[[2]string]int{}
	for _, r := range requests {
		t.requests++
		if r.Status >= 400 {
			t.refused++
		}
		kind := [2]string{r.Group, r.Resource}
		switch {
		case r.IsWrite():
			t.writes++
			if unchanged[r.Path] {
				t.needless++
			}
		case r.Resource == "": // discovery, versions, probes
		case r.Verb == "watch":
			watches[kind]++
			t.watches = max(t.watches, watches[kind])
		default:
			if reads[kind]++; reads[kind] > t.reads {
				t.reads, t.mostRead = reads[kind], r.Resource
			}
		}
	}
	return t
}

// unchangedPaths are the paths of the objects that are the same in both releases.
func unchangedPaths(before, after []*Object) map[string]bool {
	old := map[string][]byte{}
	for _, o := range before {
		old[o.Key()] = o.Compact
	}
	k, same := kindsOf(after), map[string]bool{}
	for _, o := range after {
		if bytes.Equal(o.Compact, old[o.Key()]) {
			same[k.path(o)] = true
		}
	}
	return same
}
