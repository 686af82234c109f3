package archive

import (
	"path"
	"strings"
)

// anySegments is the segment of a pattern that stands for any number of segments.
const anySegments = "**"

// pattern is a pattern for paths: each segment is one of path.Match, as in
// deploy/*.yaml, and the segment ** stands for any number of segments, also none, as
// in crds/**/*.yaml. It is never for files other than manifests.
type pattern []string

// isPattern reports whether a wanted file is a pattern and not a path.
func isPattern(name string) bool { return strings.ContainsAny(name, "*?[") }

// newPattern returns the pattern of a clean path, or what is wrong with it.
func newPattern(clean string) (p pattern, problem string) {
	p = strings.Split(clean, "/")
	for _, segment := range p {
		if _, err := path.Match(segment, ""); err != nil {
			return nil, "not a pattern: a [ without its ]"
		}
	}
	return p, ""
}

// fits reports whether the pattern fits a path. It goes back to the last ** only,
// which is enough, so that the time is bounded by the product of the lengths.
func (p pattern) fits(name string) bool {
	segments := strings.Split(name, "/")
	at, next := 0, 0          // the segment of the pattern, and of the name
	retry, retryNext := -1, 0 // the last **, and where the name goes on behind it
	for next < len(segments) {
		switch {
		case at < len(p) && p[at] == anySegments:
			retry, retryNext = at, next
			at++
		case at < len(p) && fitsSegment(p[at], segments[next]):
			at, next = at+1, next+1
		case retry >= 0:
			retryNext++
			at, next = retry+1, retryNext
		default:
			return false
		}
	}
	for at < len(p) && p[at] == anySegments {
		at++
	}
	return at == len(p)
}

func fitsSegment(pattern, segment string) bool {
	fits, err := path.Match(pattern, segment)
	return err == nil && fits
}
