package simulator

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// maxBody is the size from which on an API server takes no body.
const maxBody = 3 << 20

// bodies are reused: the largest are as large as a CustomResourceDefinition.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readBody reads the body of a request. The bytes are the caller's until release.
func readBody(a *answer, q *request) (body []byte, release func(), refused *metav1.Status) {
	buffer := bodies.Get().(*bytes.Buffer)
	buffer.Reset()
	n, err := io.Copy(buffer, io.LimitReader(q.Body, maxBody+1))
	a.sent += n
	release = func() { bodies.Put(buffer) }
	switch {
	case err != nil:
		release()
		panic(http.ErrAbortHandler) // The client is gone.
	case n > maxBody:
		release()
		return nil, nil, statusOf(apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("limit is %d", maxBody)))
	}
	return buffer.Bytes(), release, nil
}

// sentObject is an object as a client sent it. All clusters that send the same share it:
// its fields must not be changed.
type sentObject struct {
	fields map[string]any
	// name, uid and revision of its metadata, and whether the rest of it is the same as
	// without uid and revision.
	name, namespace, uid, revision string
	digest                         digest
	refused                        *metav1.Status
}

// decodeSent reads JSON or YAML. UID and resource version, which differ between
// clusters, are taken out.
func decodeSent(body []byte) *sentObject {
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		converted, err := yaml.YAMLToJSON(body)
		if err != nil {
			return &sentObject{refused: statusOf(undecodable(body))}
		}
		body = converted
	}
	sent := &sentObject{digest: digestOf(body)}
	if err := utiljson.Unmarshal(body, &sent.fields); err != nil {
		return &sentObject{refused: statusOf(undecodable(body))}
	}
	metadata := childOf(sent.fields, "metadata")
	sent.name, _ = metadata["name"].(string)
	sent.namespace, _ = metadata["namespace"].(string)
	sent.uid, _ = metadata["uid"].(string)
	sent.revision, _ = metadata["resourceVersion"].(string)
	if sent.uid != "" || sent.revision != "" {
		delete(metadata, "uid")
		delete(metadata, "resourceVersion")
		sent.digest = digestOf(mustJSON(sent.fields))
	}
	return sent
}

// undecodable is the answer to a body that is neither JSON nor YAML.
func undecodable(body []byte) error {
	_, err := yaml.YAMLToJSON(body)
	return apierrors.NewBadRequest(fmt.Sprintf("error decoding YAML: error converting YAML to JSON: %v", err))
}

// smallBody is the size up to which a body is decoded each time rather than remembered:
// what clusters send that is their own is small.
const smallBody = 4 << 10

// sent returns what a client sent, decoded.
func (f *Fleet) sent(body []byte) *sentObject {
	if len(body) <= smallBody {
		return decodeSent(body)
	}
	return f.received.get(digestOf(body), func() *sentObject { return decodeSent(body) })
}

// statusOf returns the Status of an error of apimachinery.
func statusOf(err error) *metav1.Status {
	if known, ok := err.(apierrors.APIStatus); ok {
		status := known.Status()
		return &status
	}
	return internalError(err)
}

// internalError is what an API server makes of an error without a status.
func internalError(err error) *metav1.Status {
	return &metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusInternalServerError, Message: err.Error(),
	}
}
