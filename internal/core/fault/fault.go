package fault

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// Error is an error with its class and its reason. Make one with Retry, Wait or
// Stall; read one back with errors.AsType[*Error].
type Error struct {
	// Class decides what is done about the error.
	Class Class
	// Reason is a CamelCase word for machines: the reason of a condition.
	Reason string
	// After is when to try again, for ClassWait. Zero means that a watch fires.
	After time.Duration

	// Err is the error itself.
	Err error
}

// Class decides what is done about an error.
type Class int

const (
	// ClassRetry errors are tried again with back-off. It is the class of every
	// error that has none.
	ClassRetry Class = iota
	// ClassWait is not a failure: something has not happened yet.
	ClassWait
	// ClassStall errors stay until the spec or the source is changed. They are
	// tried again slowly.
	ClassStall
)

// String returns the word for the class: Retry, Wait or Stall.
func (c Class) String() string {
	switch c {
	case ClassWait:
		return "Wait"
	case ClassStall:
		return "Stall"
	case ClassRetry:
	}
	return "Retry"
}

// Error returns the message of the wrapped error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *Error) Unwrap() error { return e.Err }

// Retry returns err as one that is tried again with back-off.
func Retry(reason string, err error) error {
	return &Error{Class: ClassRetry, Reason: reason, Err: err}
}

// Wait returns err as something that has not happened yet. It is tried again
// after the given time, or when a watch fires if that is zero.
func Wait(reason string, after time.Duration, err error) error {
	return &Error{Class: ClassWait, Reason: reason, After: after, Err: err}
}

// Stall returns err as one that stays until somebody changes the spec or the
// source.
func Stall(reason string, err error) error {
	return &Error{Class: ClassStall, Reason: reason, Err: err}
}

// Stallf is Stall with a format as of fmt.Errorf.
func Stallf(reason, format string, args ...any) error {
	return Stall(reason, fmt.Errorf(format, args...))
}

// ClassOf returns the class of err: that of the *Error in its chain, else ClassRetry.
func ClassOf(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return ClassRetry
}

// ReasonOf returns the reason of err: that of the *Error in its chain, else, and
// where that has none, the given one.
func ReasonOf(err error, otherwise string) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return cmp.Or(e.Reason, otherwise)
	}
	return otherwise
}

// maxJoined is how many errors Join spells out.
const maxJoined = 5

// Join makes one error of several that happened side by side, in their order,
// the first five spelled out. Nil errors are left out; without any the result
// is nil. Its class is Retry if that of one of them is, so that they are tried
// again; else Stall if that of one of them is; else Wait, for the shortest of their
// times. Its reason is that of the first error of its class, if that has one.
func Join(errs ...error) error {
	errs = slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err == nil })
	if len(errs) < 2 {
		return errors.Join(errs...)
	}
	joined := &Error{Class: ClassWait, Err: joinedError(errs)}
	for _, class := range []Class{ClassRetry, ClassStall, ClassWait} {
		first := slices.IndexFunc(errs, func(err error) bool { return ClassOf(err) == class })
		if first >= 0 {
			joined.Class, joined.Reason = class, ReasonOf(errs[first], "")
			break
		}
	}
	for _, err := range errs {
		if after := AfterOf(err); ClassOf(err) == joined.Class && after > 0 && (joined.After == 0 || after < joined.After) {
			joined.After = after
		}
	}
	return joined
}

// AfterOf returns the time after which to try again; zero if err has none.
func AfterOf(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.After
	}
	return 0
}

// joinedError is several errors on one line.
type joinedError []error

func (j joinedError) Error() string {
	texts := make([]string, len(j))
	for i, err := range j {
		texts[i] = err.Error()
	}
	return text.List(texts, maxJoined, "; ")
}

func (j joinedError) Unwrap() []error { return j }

// Wrap puts the noun that one was at in front of err's message and keeps its
// class and reason. It returns nil for nil.
func Wrap(noun string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", noun, err)
}
