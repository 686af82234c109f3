package workload

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/http2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

const (
	// namespaceRetry is when to look again whether a namespace that is being
	// deleted is gone: no watch reports it.
	namespaceRetry = 5 * time.Second

	// maxQuoted bounds what a message repeats of what a workload cluster said.
	maxQuoted = 1024

	minThrottle = time.Second
	maxThrottle = time.Minute
)

// classify gives an error of an apply or a read of the object its class, its
// reason and a message that names the object and repeats the answer of the server.
func classify(ref manifest.Ref, err error) error {
	if kindNotServed(err) {
		return rollout.KindNotServed(ref)
	}
	return failed(ref.String(), ref.Group == "" && ref.Kind == "Secret", err)
}

// failed gives an error of a request its class and its reason, and a message
// that names the subject of the request. The server quotes what it refuses, so of
// its message about a Secret only that of a 404, which holds names, is repeated.
func failed(subject string, secret bool, err error) error {
	if err == nil {
		return nil
	}
	answer, answered := status(err)
	if !answered {
		return fault.Retry(v1alpha1.ApplyFailedReason, fmt.Errorf("%s: %w", subject, unanswered(err)))
	}
	message := strings.TrimSpace(fmt.Sprintf("HTTP %d %s", answer.Code, text.Line(string(answer.Reason), 64)))
	if !secret || apierrors.IsNotFound(err) {
		message += ": " + text.Line(messageOf(answer), maxQuoted)
	}
	refusal := fmt.Errorf("%s: %s", subject, message)
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return fault.Wait(v1alpha1.NamespaceTerminatingReason, namespaceRetry, refusal)
	case answer.Code == http.StatusTooManyRequests:
		return fault.Wait(v1alpha1.ThrottledReason, retryAfter(err),
			fmt.Errorf("%s: %w: %s", subject, rollout.ErrThrottled, message))
	case answer.Code == http.StatusRequestEntityTooLarge:
		return fault.Stall(v1alpha1.ObjectInvalidReason, refusal)
	case answer.Code == http.StatusBadRequest, answer.Code == http.StatusUnprocessableEntity, isUntyped(answer):
		// Schemas and webhooks lag behind: it may be taken a moment later. The
		// timeout of the phase ends it.
		if isImmutable(answer) {
			refusal = immutableError{refusal}
		}
		return fault.Retry(v1alpha1.ObjectInvalidReason, refusal)
	}
	return fault.Retry(v1alpha1.ApplyFailedReason, refusal)
}

// untyped begins the message of an HTTP 500 about an object that does not fit its
// schema. There is no code for it.
const untyped = "failed to create typed patch object"

func isUntyped(answer metav1.Status) bool {
	return answer.Code == http.StatusInternalServerError && strings.HasPrefix(answer.Message, untyped)
}

// messageOf returns the message of an answer, with what to do where that is known. The
// lines about an object that does not fit its schema come in any order, and are sorted.
func messageOf(answer metav1.Status) string {
	if answer.Code == http.StatusNotFound && answer.Details != nil && answer.Details.Kind == "namespaces" {
		return answer.Message + ": add the Namespace as a source, or set createNamespace on the helm source"
	}
	if !isUntyped(answer) {
		return answer.Message
	}
	first, rest, _ := strings.Cut(answer.Message, " errors:\n  ")
	lines := strings.Split(rest, "\n  ")
	slices.Sort(lines)
	return strings.TrimSpace(first + " " + strings.Join(lines, "; "))
}

// immutableError is rollout.ErrImmutable in the words of the API server.
type immutableError struct{ error }

// Is has it be rollout.ErrImmutable.
func (immutableError) Is(target error) bool { return target == rollout.ErrImmutable }

// immutable is what the API server says of a field that cannot be changed: there is
// no code for it. Values of the object come before it, so only the end of a message
// counts, or its beginning where the field is forbidden. The texts are those of
// k8s.io/kubernetes/pkg/apis/*/validation and what authors of CEL rules usually write.
var immutable = regexp.MustCompile("(?i)(is immutable|may not change once set|cannot change roleRef)\\.?$" +
	"|: field is immutable (when `immutable` is set|for unsuspended job once set)$" +
	"|^Forbidden: (may not be changed|spec is immutable after creation|updates to |pod updates may not change fields)")

// isImmutable reports whether an answer refuses to change a field.
func isImmutable(answer metav1.Status) bool {
	return answer.Details != nil && slices.ContainsFunc(answer.Details.Causes, func(cause metav1.StatusCause) bool {
		return immutable.MatchString(cause.Message)
	})
}

// status returns the API server's answer in err's chain, if there is one.
func status(err error) (metav1.Status, bool) {
	if s, ok := errors.AsType[*apierrors.StatusError](err); ok && s.ErrStatus.Code >= http.StatusBadRequest {
		return s.ErrStatus, true
	}
	return metav1.Status{}, false
}

// kindNotServed reports whether err is the 404 of a path that the server does not
// know, and not that of a namespace or an object that does not exist.
func kindNotServed(err error) bool {
	if !apierrors.IsNotFound(err) {
		return false
	}
	answer, _ := status(err)
	return answer.Details == nil || answer.Details.Kind == "" || unexpectedResponse(err)
}

func unexpectedResponse(err error) bool {
	_, unexpected := apierrors.StatusCause(err, "UnexpectedServerResponse")
	return unexpected
}

func retryAfter(err error) time.Duration {
	seconds, _ := apierrors.SuggestsClientDelay(err)
	return min(max(time.Duration(seconds)*time.Second, minThrottle), maxThrottle)
}

// unanswered describes the error of a request that got no answer.
func unanswered(err error) error {
	if isUnanswered(err) {
		return rollout.ErrUnanswered
	}
	if errors.Is(err, errTooLarge) {
		return errTooLarge
	}
	return fmt.Errorf("the connection to the API server failed: %s", text.Line(stable(err).Error(), maxQuoted))
}

// stable removes from an error of net/http what is long or differs from one time
// to the next: URLs, addresses, ports, the numbers of streams, the time.
func stable(err error) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("the name %s was not found", dns.Name)
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return errors.New("its certificate has expired or is not yet valid")
	}
	if closedByServer(err) {
		return errors.New("connection closed by the server")
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return err
}

// closedByServer reports whether the other side ended the connection, or a stream
// of it.
func closedByServer(err error) bool {
	_, stream := errors.AsType[http2.StreamError](err)
	_, away := errors.AsType[http2.GoAwayError](err)
	return stream || away || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
