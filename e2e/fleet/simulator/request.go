package simulator

import (
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// request is what a request is about, as its method and path say it.
type request struct {
	*http.Request

	verb string
	// path is not empty for what is not a resource. The rest is empty then.
	path                                         string
	group, version, plural, namespace, name, sub string
}

// parse reads the method and the path.
func parse(r *http.Request) *request {
	q := &request{Request: r}
	segments := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var rest []string
	switch {
	case segments[0] == "api" && len(segments) > 2:
		q.version, rest = segments[1], segments[2:]
	case segments[0] == "apis" && len(segments) > 3:
		q.group, q.version, rest = segments[1], segments[2], segments[3:]
	default:
		q.verb, q.path = strings.ToLower(r.Method), r.URL.Path
		return q
	}
	if rest[0] == "namespaces" && len(rest) > 2 && rest[2] != "status" && rest[2] != "finalize" {
		q.namespace, rest = rest[1], rest[2:]
	}
	rest = append(rest, "", "", "")
	q.plural, q.name, q.sub = rest[0], rest[1], strings.TrimRight(strings.Join(rest[2:], "/"), "/")
	q.verb = verbOf(q)
	return q
}

func verbOf(q *request) string {
	switch q.Method {
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodPatch:
		return "patch"
	case http.MethodDelete:
		if q.name == "" {
			return "deletecollection"
		}
		return "delete"
	case http.MethodGet, http.MethodHead:
		return readOf(q)
	}
	return strings.ToLower(q.Method)
}

func readOf(q *request) string {
	watch := q.URL.Query().Get("watch")
	switch {
	case q.name != "":
		return "get"
	case watch == "true" || watch == "1":
		return "watch"
	}
	return "list"
}

// counted returns what the request is counted by.
func (q *request) counted() Kind {
	if q.path != "" {
		return Kind{Verb: q.verb, Resource: countedPath(q.path)}
	}
	kind := Kind{Verb: q.verb, Group: q.group, Resource: q.plural}
	if q.sub != "" {
		kind.Resource += "/" + q.sub
	}
	return kind
}

// countedPath returns a path, or what stands for paths that are not known: there may
// be any number of them.
func countedPath(path string) string {
	switch path {
	case "/", "/version", "/api", "/apis", "/api/v1", "/healthz", "/livez", "/readyz":
		return path
	}
	if strings.HasPrefix(path, "/apis/") {
		return "/apis/…"
	}
	return "other"
}

// key returns the namespace and name of the object.
func (q *request) key() types.NamespacedName {
	return types.NamespacedName{Namespace: q.namespace, Name: q.name}
}

// managerOf returns the field manager of a write: without one, the client's program.
func managerOf(q *request) string {
	if manager := q.URL.Query().Get("fieldManager"); manager != "" {
		return manager
	}
	program, _, _ := strings.Cut(q.UserAgent(), "/")
	return program
}

// formOf returns the form that a request asks for.
func formOf(q *request) form {
	if strings.Contains(q.Header.Get("Accept"), "as=PartialObjectMetadata") {
		return metadataOnly
	}
	return whole
}

// mediaType returns a content type without its parameters.
func mediaType(contentType string) string {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.TrimSpace(kind)
}
