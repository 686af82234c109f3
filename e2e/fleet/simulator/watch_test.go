package simulator

import (
	"bufio"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// watchOf opens a watch and returns the reader of its frames, which end with it.
func (p *peer) watchOf(t testing.TB, path, accept string) *bufio.Reader {
	t.Helper()
	request := get(t, p.host+p.fill(path))
	request.Header.Set("Accept", accept)
	response, err := p.client.Do(request)
	if err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s", p.name, path, response.Status)
	}
	return bufio.NewReader(response.Body)
}

var tooOld = regexp.MustCompile(`\d+ \(\d+\)`)

// frames reads frames, as many as are given or to the end if that is 0, without what may
// differ.
func (p *peer) frames(t testing.TB, from *bufio.Reader, count int) (frames []any) {
	t.Helper()
	for len(frames) < count || count == 0 {
		line, err := from.ReadBytes('\n')
		if err != nil && count == 0 {
			return frames
		}
		if err != nil {
			t.Fatalf("%s: %d frames, then %v", p.name, len(frames), err)
		}
		var decoded any
		if err := json.Unmarshal([]byte(tooOld.ReplaceAllString(string(line), "OLD")), &decoded); err != nil {
			t.Fatal(err)
		}
		frames = append(frames, p.common(decoded))
	}
	return frames
}

// isBookmark reports whether a frame is one.
func isBookmark(frame any) bool { return frame.(map[string]any)["type"] == "BOOKMARK" }

// changes is what happens while somebody watches the objects with part=a.
var changes = []call{
	{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", configMap("a", "1")},
	{"POST", maps1, contentJSON, "", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"other"}}`},
	{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", configMap("a", "2")},
	{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", configMap("a", "2")},
	{"PATCH", maps1 + "/a", mergeJSON, "", `{"metadata":{"labels":{"part":"b"}}}`},
	{"PATCH", maps1 + "/a", mergeJSON, "", `{"data":{"key":"3"}}`},
	{"PATCH", maps1 + "/a", mergeJSON, "", `{"metadata":{"labels":{"part":"a"}}}`},
	{"DELETE", maps1 + "/a", contentJSON, "", ""},
}

func TestWatchesSeeWhatThoseOfARealAPIServerSee(t *testing.T) {
	t.Parallel()
	simulated, real := peers(t)
	for name, accept := range map[string]string{"whole objects": contentJSON, "metadata": asMetadata} {
		t.Run(name, func(t *testing.T) {
			seen := map[string][]any{}
			for _, p := range []*peer{simulated, real} {
				p.namespace = namespaceFor(t, p)
				p.ask(t, call{"GET", maps1 + "?limit=1", "", asMetaList, ""})
				watch := p.watchOf(t, maps1+"?watch=true&labelSelector=part%3Da&resourceVersion=RV", accept)
				for _, c := range changes {
					p.ask(t, c)
				}
				seen[p.name] = p.frames(t, watch, 5)
			}
			if diff := cmp.Diff(seen["real"], seen["simulated"]); diff != "" {
				t.Errorf("(-real +simulated):\n%s", diff)
			}
		})
	}
}

func TestWatchesBeginAsThoseOfARealAPIServer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		query string
		count int
	}{
		"without a resource version": {"watch=true", 2},
		"from 0":                     {"watch=1&resourceVersion=0", 2},
		"with initial events":        {"watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", 3},
		"from what nobody knows":     {"watch=true&resourceVersion=1", 1},
		"of one object by its name":  {"watch=true&fieldSelector=metadata.name%3Da", 1},
		"with an end":                {"watch=true&resourceVersion=RV&timeoutSeconds=1", 0},
	}
	simulated, real := peers(t)
	for _, p := range []*peer{simulated, real} {
		p.namespace = namespaceFor(t, p)
		p.ask(t, call{"PATCH", maps1 + "/b?fieldManager=one", applyJSON, "", configMap("b", "1")})
		p.ask(t, call{"PATCH", maps1 + "/a?fieldManager=one", applyJSON, "", configMap("a", "1")})
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			seen := map[string][]any{}
			for _, p := range []*peer{simulated, real} {
				frames := p.frames(t, p.watchOf(t, maps1+"?"+tc.query, asMetadata), tc.count)
				slices.SortStableFunc(frames, func(a, b any) int { // A real one sends what is there in any order.
					return strings.Compare(nameOf(a), nameOf(b))
				})
				seen[p.name] = frames
			}
			if diff := cmp.Diff(seen["real"], seen["simulated"]); diff != "" {
				t.Errorf("(-real +simulated):\n%s", diff)
			}
		})
	}
}

// nameOf returns the name of the object of a frame; bookmarks come last.
func nameOf(frame any) string {
	if isBookmark(frame) {
		return "~"
	}
	object, _ := frame.(map[string]any)["object"].(map[string]any)
	metadata, _ := object["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	return name
}
