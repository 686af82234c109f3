package child

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// Task is work for a child process. What it asks for and what it answers with is JSON;
// what is large goes beside it, as a stream.
type Task[In, Out any] struct {
	// Name distinguishes the tasks of a program, and is in front of the messages about
	// its children.
	Name string
	// CrashReason is the reason of the Stall that a crash of the child is.
	CrashReason string
	// Do is the work. It reads the body and writes the output. A child does it once.
	Do func(in In, body io.Reader, output io.Writer) (Out, error)
}

// Program is a Task of any types.
type Program interface {
	name() string
	do(request []byte, body io.Reader, output io.Writer) (json.RawMessage, error)
}

// Call is what one child is given.
type Call[In any] struct {
	// Namespace that it is done for: each has one child at a time.
	Namespace string
	// In is what the task asks for.
	In In
	// Body is read to its end; nil for none.
	Body io.Reader
	// Output gets what the task writes; nil for nothing. It may get some of it before
	// an error is known.
	Output io.Writer
}

// Run has the task done in a child process. Errors of the task are as Do returned them,
// with their class, reason and text; those of Body and Output are returned as they are. A
// child that crashes, or needs more than a limit, is a Stall; one that is stopped with
// ctx, or that cannot be started, is a Retry.
func (t Task[In, Out]) Run(ctx context.Context, children *Runner, call Call[In]) (Out, error) {
	var out Out
	request, err := json.Marshal(call.In)
	if err != nil {
		return out, internal(t.Name, "a request that is no JSON", err)
	}
	answered, err := children.run(ctx, start{
		task: t.Name, crashReason: t.CrashReason, namespace: call.Namespace,
		request: request, body: call.Body, output: call.Output,
	})
	if err != nil {
		return out, err
	}
	if answered.Error != nil {
		return out, answered.Error.fault()
	}
	if err := json.Unmarshal(answered.Out, &out); err != nil {
		return out, internal(t.Name, "an answer that cannot be read", err)
	}
	return out, nil
}

func (t Task[In, Out]) name() string { return t.Name }

func (t Task[In, Out]) do(request []byte, body io.Reader, output io.Writer) (json.RawMessage, error) {
	var in In
	if err := json.Unmarshal(request, &in); err != nil {
		return nil, internal(t.Name, "a request that cannot be read", err)
	}
	out, err := t.Do(in, body, output)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// answer is the first line that a child writes. The output of the task follows it.
type answer struct {
	Out   json.RawMessage `json:"out,omitempty"`
	Error *failure        `json:"error,omitempty"`
}

// failure is an error on its way out of a child.
type failure struct {
	Class  fault.Class   `json:"class"`
	Reason string        `json:"reason"`
	After  time.Duration `json:"after,omitempty"`
	Text   string        `json:"text"`
}

// failureOf returns nil for nil.
func failureOf(err error) *failure {
	if err == nil {
		return nil
	}
	return &failure{Class: fault.ClassOf(err), Reason: fault.ReasonOf(err, ""), After: fault.AfterOf(err), Text: err.Error()}
}

// maxErrorText bounds the text of an error of a child, in bytes.
const maxErrorText = 1024

func (f *failure) fault() error {
	return &fault.Error{Class: f.Class, Reason: f.Reason, After: f.After, Err: errors.New(text.Line(f.Text, maxErrorText))}
}

// internal returns an error that is no fault of what the child was given.
func internal(task, what string, err error) error {
	return fault.Retry(v1alpha1.InternalErrorReason, fmt.Errorf("%s in a child process: %s: %w", task, what, err))
}
