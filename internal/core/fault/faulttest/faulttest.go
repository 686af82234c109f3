// Package faulttest checks errors of package fault in tests.
package faulttest

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// Secret is what tests give for a password or a token: no error repeats it.
const Secret = "hunter2"

// maxMessage bounds the message of an error in bytes, as the design does.
const maxMessage = 1024

// Want fails the test unless err has the class and the reason and its message
// has all of the texts. A message is one line of at most 1 KiB without the
// Secret, and an error never passes for the end of a file.
func Want(tb testing.TB, err error, class fault.Class, reason string, texts ...string) {
	tb.Helper()
	if err == nil {
		tb.Fatalf("want an error with the reason %s, got none", reason)
	}
	if fault.ClassOf(err) != class || fault.ReasonOf(err, "") != reason {
		tb.Errorf("want class %v and reason %s, got %v and %q: %v",
			class, reason, fault.ClassOf(err), fault.ReasonOf(err, ""), err)
	}
	message := err.Error()
	for _, text := range texts {
		if !strings.Contains(message, text) {
			tb.Errorf("want %q in the message, got %q", text, message)
		}
	}
	if len(message) > maxMessage {
		tb.Errorf("want a message of at most %d bytes, got %d", maxMessage, len(message))
	}
	if strings.Contains(message, Secret) || strings.ContainsAny(message, "\n\r") {
		tb.Errorf("want one line without %q, got %q", Secret, message)
	}
	if errors.Is(err, io.EOF) {
		tb.Errorf("%v passes for the end of a file", err)
	}
}

// WantMessage is Want with the whole message.
func WantMessage(tb testing.TB, err error, class fault.Class, reason, message string) {
	tb.Helper()
	Want(tb, err, class, reason)
	if err.Error() != message {
		tb.Errorf("want the message %q, got %q", message, err)
	}
}
