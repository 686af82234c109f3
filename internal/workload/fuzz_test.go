package workload

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

// scripted is a transport that answers each of the first requests with the same, and
// those behind them, as of a list without an end, with nothing.
type scripted struct {
	status      int
	contentType string
	body        []byte
	left        int
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.left--; s.left < 0 {
		return nil, errors.New("the script is over")
	}
	return &http.Response{
		StatusCode: s.status, Header: http.Header{"Content-Type": {s.contentType}}, Request: r,
		Body: io.NopCloser(bytes.NewReader(s.body)),
	}, nil
}

// answersOfServers are what API servers answer, and what they should not.
var answersOfServers = []string{
	`{"major":"1","minor":"36","gitVersion":"v1.36.3+k3s1"}`,
	`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"secrets \"a\" not found","reason":"NotFound","details":{"name":"a","kind":"secrets"},"code":404}`,
	`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"failed to create typed patch object (a/b; v1, Kind=C): errors:\n  .b: field not declared\n  .a: duplicate","code":500}`,
	`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422,"details":{"causes":[{"reason":"FieldValueInvalid","message":"field is immutable","field":"spec.selector"}]}}`,
	`{"kind":"Status","code":429,"details":{"retryAfterSeconds":-1}}`,
	`{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"a","namespace":"b","uid":"c","resourceVersion":"1","creationTimestamp":null,"labels":{"applyset.kubernetes.io/part-of":"d"},"managedFields":[{"manager":"caapb.a.b","operation":"Apply","fieldsType":"FieldsV1","fieldsV1":{"f:data":{"f:a":{}}}}]}}`,
	`{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"1","continue":"x"},"items":[{"metadata":{"name":"a"}},{}]}`,
	`{"kind":"DeploymentList","apiVersion":"apps/v1","metadata":{},"items":[{"metadata":{"name":"a"},"spec":{"replicas":1e400},"status":{"conditions":[]}}]}`,
	`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"},"data":{"a":"b"}}`,
	`{"kind":"CustomResourceDefinitionList","apiVersion":"apiextensions.k8s.io/v1","items":[{"metadata":{"name":"a.b"},"spec":{"group":"b","scope":"Namespaced","names":{"kind":"A","plural":"a"}},"status":{"storedVersions":["v1"]}}]}`,
	`{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","items":[{"metadata":{"name":"example.com"},"versions":[{"version":"v1","freshness":"Stale","resources":[{"resource":"books","responseKind":{"group":"","version":"","kind":"Book"},"scope":"Namespaced","verbs":["get"]}]}]}]}`,
	`{"kind":"APIGroup","apiVersion":"v1","name":"example.com","versions":[{"groupVersion":"example.com/v1","version":"v1"}]}`,
	`{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"example.com/v1","resources":[{"name":"books","namespaced":true,"kind":"Book","verbs":["get"]}]}`,
	`{"kind":"EndpointSliceList","apiVersion":"discovery.k8s.io/v1","items":[{"endpoints":[{"conditions":{"ready":"no"}},7]}]}`,
	`{"type":"MODIFIED","object":{"metadata":{"name":"a","deletionTimestamp":"x","annotations":{"addons.cluster.x-k8s.io/sha256":"1"}}}}` + "\n" +
		`{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"2"}}}` + "\n" + `{"type":"ERROR","object":{"message":"too old"}}` + "\n",
	`[[[[{}]]]]`, `null`, `"\ud800"`, `<html>`, ``,
}

// FuzzAnswers is about what is parsed of the answers of a workload cluster, to each of
// the requests that are sent: lists, metadata, discovery, versions, errors and events.
// Nothing of them breaks the manager, and what is shown is short.
func FuzzAnswers(f *testing.F) {
	for _, answer := range answersOfServers {
		for _, status := range []int{200, 404, 422, 429, 500} {
			f.Add(status, "application/json", []byte(answer))
		}
		f.Add(500, "text/plain", []byte(answer))
	}
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		server := &scripted{status: status, contentType: contentType, body: body}
		c := newClient(t, &rest.Config{Host: "http://example.com", Transport: server})
		for method, request := range requests() {
			server.left = 3
			err := request.send(t.Context(), c)
			if err == nil || method == "a watch" {
				continue
			}
			if message := err.Error(); len(message) > 3*maxQuoted || strings.Contains(message, "\n") {
				t.Errorf("%s: want one short line, got %d bytes: %q", method, len(message), message)
			}
		}
		if known := c.known.version; known != "" && checkVersion(known) != nil {
			t.Errorf("want no version that is not known, got %q", known)
		}
		readEvents(t, body)
	})
}

// readEvents reads the events of a watch to their end.
func readEvents(t *testing.T, body []byte) {
	t.Helper()
	events := newFrames(io.NopCloser(bytes.NewReader(body)), "")
	s := newStream(membersTarget(t), subscriber{content: true}, newLimits())
	for {
		happened, err := events.next()
		if err != nil {
			return
		}
		s.keysFor(happened)
		if events.size == 0 || events.size > len(body) {
			t.Fatalf("want the size of an event of %d bytes, got %d", len(body), events.size)
		}
	}
}
