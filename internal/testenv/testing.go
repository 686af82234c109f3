package testenv

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
)

// maxPrefix is how much of a test's name a Namespace's name holds.
const maxPrefix = 40

// NewManagement starts a management cluster that is stopped when the test ends.
func NewManagement(tb testing.TB, o ManagementOptions) *Management {
	tb.Helper()
	m, err := StartManagement(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(m.Stop)
	return m
}

// NewWorkload starts a workload cluster that is stopped when the test ends.
func NewWorkload(tb testing.TB, o WorkloadOptions) *Workload {
	tb.Helper()
	w, err := StartWorkload(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(w.Stop)
	return w
}

// NewProxy starts a proxy before s that is stopped when the test ends.
func NewProxy(tb testing.TB, s *APIServer) *Proxy {
	tb.Helper()
	p, err := StartProxy(s)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Stop)
	return p
}

// NewClusterctl prepares a clusterctl for versions of this provider, such as v0.1.0.
func NewClusterctl(tb testing.TB, versions ...string) *Clusterctl {
	tb.Helper()
	c, err := PrepareClusterctl(tb.Context(), tb.TempDir(), versions...)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// NewNamespace makes a Namespace named after the test, and returns its name.
func NewNamespace(tb testing.TB, s *APIServer) string {
	tb.Helper()
	name, err := s.NewNamespace(tb.Context(), prefixOf(tb.Name()))
	if err != nil {
		tb.Fatal(err)
	}
	return name
}

// NewCluster is AddCluster for tests.
func NewCluster(tb testing.TB, m *Management, o ClusterOptions) *clusterv1.Cluster {
	tb.Helper()
	cluster, err := m.AddCluster(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	return cluster
}

// prefixOf returns the start of a name of an object for a test of that name.
func prefixOf(test string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return '-'
		}
	}, test)
	return strings.Trim(name[:min(len(name), maxPrefix)], "-")
}

// gcVariable is how much garbage a program of Go collects at a time, in percent of what it
// uses. What tests start has more memory than processors: half as often is enough.
const gcVariable = "GOGC"

// Main runs the tests of a package and stops what they shared, after calling
// the given functions: call it in TestMain of a package that uses the Shared
// functions.
func Main(m *testing.M, end ...func()) {
	if os.Getenv(gcVariable) == "" {
		_ = os.Setenv(gcVariable, "200") // It has no other error than a bad name.
	}
	code := m.Run()
	for _, e := range end {
		e()
	}
	sharedManagement.end()
	sharedWorkload.end()
	sharedWhole.end()
	os.Exit(code)
}

// What the tests of one program share is started by the first that needs it. A
// test that stops it or changes it as a whole starts one of its own.
var (
	sharedManagement = &shared[*Management]{start: func(ctx context.Context) (*Management, error) {
		return StartManagement(ctx, ManagementOptions{Controllers: true})
	}}
	sharedWorkload = &shared[*Workload]{start: func(ctx context.Context) (*Workload, error) {
		return StartWorkload(ctx, WorkloadOptions{})
	}}
	sharedWhole = &shared[*Workload]{start: func(ctx context.Context) (*Workload, error) {
		return StartWorkload(ctx, WorkloadOptions{Nodes: 1})
	}}
)

// SharedManagement returns the management cluster of all tests of the program.
// It has Controllers. Use a NewNamespace in it.
func SharedManagement(tb testing.TB) *Management {
	tb.Helper()
	return sharedManagement.get(tb)
}

// SharedWorkload returns the bare workload cluster of all tests of the program.
func SharedWorkload(tb testing.TB) *Workload {
	tb.Helper()
	return sharedWorkload.get(tb)
}

// SharedWhole returns the workload cluster with one Node of all tests of the
// program.
func SharedWhole(tb testing.TB) *Workload {
	tb.Helper()
	return sharedWhole.get(tb)
}

// shared is started at most once for all tests.
type shared[T interface{ Stop() }] struct {
	start func(context.Context) (T, error)

	once    sync.Once
	value   T
	err     error
	started bool
}

func (s *shared[T]) get(tb testing.TB) T {
	tb.Helper()
	// It outlives the test, and so must its context.
	s.once.Do(func() {
		s.value, s.err = s.start(context.WithoutCancel(tb.Context()))
		s.started = s.err == nil
	})
	if s.err != nil {
		tb.Fatal(s.err)
	}
	return s.value
}

func (s *shared[T]) end() {
	if s.started {
		s.value.Stop()
	}
}

// eventuallyPatience is how long Eventually waits for its condition: long, since several API servers share the machine.
const eventuallyPatience = 2 * time.Minute

// Eventually waits until the condition holds, and fails the test if it does not
// in time. what describes the condition in the failure.
func Eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), eventuallyPatience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("not within %v: %s", eventuallyPatience, what)
		}
	}
}
