package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

const (
	// aliveInterval is how often the demo checks that the manager still runs.
	aliveInterval = time.Second
	// messageWidth is how many characters of a message the live view shows.
	messageWidth = 80
)

// rollout is what the demo measured on one Cluster.
type rollout struct {
	// phases are the times from the label until each phase was ready, by name.
	phases map[string]time.Duration
	// ready is the time from the label until the ClusterBundle was Ready.
	ready time.Duration
	// requests are what the workload cluster saw in that time.
	requests []testenv.Request
}

// view turns the states of a ClusterBundle into lines, one for each change.
type view struct {
	cluster string
	seen    map[string]v1alpha1.PhaseStatus
	reason  string
}

func (w *world) labelFirst(ctx context.Context) error { return w.follow(ctx, w.first) }

func (w *world) labelSecond(ctx context.Context) error { return w.follow(ctx, w.second) }

// follow labels the Cluster and shows what happens until the bundle is Ready.
func (w *world) follow(ctx context.Context, m *member) error {
	events, err := w.management.Client.Watch(ctx, &v1alpha1.ClusterBundleList{}, client.InNamespace(namespace))
	if err != nil {
		return err
	}
	defer events.Stop()
	m.proxy.Reset()
	labelled := time.Now()
	if err := w.label(ctx, m.name); err != nil {
		return err
	}
	m.rollout.phases = map[string]time.Duration{}
	v := &view{cluster: m.name, seen: map[string]v1alpha1.PhaseStatus{}}
	last := errors.New("there is no ClusterBundle")
	for last != nil {
		b, err := w.next(ctx, events.ResultChan(), m.name)
		if ctx.Err() != nil {
			return fmt.Errorf("cluster %s: %w", m.name, last)
		}
		if err != nil {
			return err
		}
		w.showChange(v, m, b, time.Since(labelled))
		last = readiness(b.GetConditions())
		if err := w.standIn(ctx, m, b, labelled); err != nil {
			return err
		}
	}
	return nil
}

// next waits for the next state of the Cluster's ClusterBundle. It gives up when
// the manager or the watch ends.
func (w *world) next(ctx context.Context, events <-chan watch.Event, cluster string) (*v1alpha1.ClusterBundle, error) {
	alive := time.NewTicker(aliveInterval)
	defer alive.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-alive.C:
			if err := w.manager.Ended(); err != nil {
				return nil, err
			}
		case event, open := <-events:
			if !open || event.Type == watch.Error {
				return nil, fmt.Errorf("the watch of the ClusterBundles ended: %v", event.Object)
			}
			if b, ok := event.Object.(*v1alpha1.ClusterBundle); ok && b.Spec.ClusterName == cluster {
				return b, nil
			}
		}
	}
}

// showChange prints what changed, and records when a phase and the ClusterBundle
// became ready.
func (w *world) showChange(v *view, m *member, b *v1alpha1.ClusterBundle, since time.Duration) {
	requests := m.proxy.Requests()
	sent, _ := traffic(requests)
	for _, line := range v.changes(b, sent) {
		fmt.Fprintf(w.out, "  %6.2fs  %s\n", since.Seconds(), line)
	}
	for _, phase := range b.Status.Phases {
		if _, known := m.rollout.phases[phase.Name]; !known && phase.State == v1alpha1.ReadyPhaseState {
			m.rollout.phases[phase.Name] = since
		}
	}
	if readiness(b.GetConditions()) == nil {
		m.rollout.ready, m.rollout.requests = since, requests
	}
}

// changes returns a line for each phase that changed, and one for the reason of
// the Ready condition if that changed and no line of a phase shows it.
func (v *view) changes(b *v1alpha1.ClusterBundle, sent int64) []string {
	var lines []string
	for _, phase := range b.Status.Phases {
		before, known := v.seen[phase.Name]
		v.seen[phase.Name] = phase
		if !known && phase.State == v1alpha1.PendingPhaseState || known && !differs(before, phase) {
			continue
		}
		message := shortened(strings.TrimPrefix(phase.Message, "phase "+phase.Name+": "))
		lines = append(lines, strings.TrimRight(fmt.Sprintf("%-8s %-10s %-8s %2d/%2d ready  %8s sent  %s",
			v.cluster, phase.Name, phase.State, phase.Ready, phase.Objects, bytesText(sent), message), " "))
	}
	ready := meta.FindStatusCondition(b.GetConditions(), v1alpha1.ReadyCondition)
	if ready == nil || ready.Reason == v.reason {
		return lines
	}
	v.reason = ready.Reason
	if len(lines) > 0 && ready.Reason != v1alpha1.ReadyReason {
		return lines
	}
	return append(lines, strings.TrimRight(fmt.Sprintf("%-8s Ready=%s %s  %s",
		v.cluster, ready.Status, ready.Reason, shortened(ready.Message)), " "))
}

// differs reports whether the line of a phase would differ.
func differs(a, b v1alpha1.PhaseStatus) bool {
	return a.State != b.State || a.Ready != b.Ready || a.Objects != b.Objects || a.Message != b.Message
}

// shortened returns s, or its beginning if it is too long for a line.
func shortened(s string) string {
	if utf8.RuneCountInString(s) <= messageWidth {
		return s
	}
	return string([]rune(s)[:messageWidth-1]) + "…"
}
