package app

import (
	"errors"

	"github.com/go-logr/logr"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// maxLogged bounds a text in the log, in bytes.
const maxLogged = 4 << 10

// BoundedLog returns the logger with errors and texts of at most 4 KiB on one line.
// Libraries log what a server said, which may be a tenant's: client-go logs the whole
// message of an API server's error.
func BoundedLog(log logr.Logger) logr.Logger {
	sink := log.GetSink()
	if sink == nil {
		return log
	}
	if deep, ok := sink.(logr.CallDepthLogSink); ok {
		sink = deep.WithCallDepth(1) // this one is between the caller and the sink
	}
	return log.WithSink(boundedSink{sink})
}

// boundedSink shortens what it hands on.
type boundedSink struct{ logr.LogSink }

var _ logr.CallDepthLogSink = boundedSink{}

// Init does nothing: the sink was.
func (boundedSink) Init(logr.RuntimeInfo) {}

// Info logs a message.
func (s boundedSink) Info(level int, message string, keysAndValues ...any) {
	s.LogSink.Info(level, short(message), shortened(keysAndValues)...)
}

// Error logs an error.
func (s boundedSink) Error(err error, message string, keysAndValues ...any) {
	s.LogSink.Error(shortError(err), short(message), shortened(keysAndValues)...)
}

// WithValues returns a sink with more values.
func (s boundedSink) WithValues(keysAndValues ...any) logr.LogSink {
	return boundedSink{s.LogSink.WithValues(shortened(keysAndValues)...)}
}

// WithName returns a sink with another name.
func (s boundedSink) WithName(name string) logr.LogSink { return boundedSink{s.LogSink.WithName(name)} }

// WithCallDepth returns a sink whose callers are further away.
func (s boundedSink) WithCallDepth(depth int) logr.LogSink {
	if deep, ok := s.LogSink.(logr.CallDepthLogSink); ok {
		return boundedSink{deep.WithCallDepth(depth)}
	}
	return s
}

func shortened(values []any) []any {
	short := make([]any, len(values))
	for i, value := range values {
		short[i] = shortValue(value)
	}
	return short
}

func shortValue(value any) any {
	switch v := value.(type) {
	case string:
		return short(v)
	case error:
		return shortError(v)
	}
	return value
}

// short returns a text as it is unless it is too long.
func short(s string) string {
	if len(s) <= maxLogged {
		return s
	}
	return text.Line(s, maxLogged)
}

// shortError returns an error as it is unless its text is too long.
func shortError(err error) error {
	if err == nil {
		return nil
	}
	if whole := err.Error(); len(whole) > maxLogged {
		return errors.New(short(whole))
	}
	return err
}
