package main

import (
	"context"
	"errors"
	"os"
	"testing"
)

// fakeName is a task that is there in tests only.
const fakeName = "fake"

// TestMain lets the tests' own program be a child, as bench is.
func TestMain(m *testing.M) {
	tasks[fakeName] = fakeTask
	if len(os.Args) == 3 && os.Args[1] == childArgument {
		if err := beChild(context.Background(), os.Args[2], os.Stdin, os.Stdout); err != nil {
			_, _ = os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fakeTask fails as its release's version says.
func fakeTask(_ context.Context, w Work) (func(context.Context) error, error) {
	if w.Step.Release.Version == "unreadable" {
		return nil, errors.New("cannot read it")
	}
	return func(context.Context) error {
		if w.Step.Release.Version == "refused" {
			return errors.New("the server says no")
		}
		return os.WriteFile(w.Kubeconfig, []byte(w.Step.Kind), 0o600)
	}, nil
}
