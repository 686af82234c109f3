package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// bench is one run.
type bench struct {
	out     io.Writer
	started time.Time
	options options
	dir     string

	ways     []Way
	releases []chosen
	widths   []widthResult
	samples  samples
	// failures are those of what was done once more.
	failures []error
}

// chosen is a release that is measured.
type chosen struct {
	release, before *loaded
	rounds          int
}

// say prints a line with the time since the beginning.
func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.out, "[%6.1fs] %s\n", b.elapsed().Seconds(), fmt.Sprintf(format, args...))
}

func (b *bench) elapsed() time.Duration { return time.Since(b.started) }

// runBench checks, measures and reports.
func runBench(ctx context.Context, out io.Writer) (err error) {
	b := &bench{out: out, started: time.Now(), ways: newWays()}
	if b.options, err = parseOptions(os.Getenv, candidateNames(), wayNames(b.ways)); err != nil {
		return err
	}
	b.say("checks the machine")
	if err := check(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "caapb-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	b.ways = slices.DeleteFunc(b.ways, func(w Way) bool { return !slices.Contains(b.options.ways, w.Name()) })
	defer b.close()
	for _, step := range []func(context.Context) error{
		b.loadReleases, b.prepareWays, b.findWidth, b.measureTimes, b.measureCounts, b.measureSlow,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return b.report()
}

func candidateNames() []string {
	var names []string
	for _, c := range candidates() {
		names = append(names, c.name)
	}
	return names
}

func wayNames(ways []Way) []string {
	names := make([]string, len(ways))
	for i, w := range ways {
		names[i] = w.Name()
	}
	return names
}

func (b *bench) close() {
	for _, w := range b.ways {
		w.Close()
	}
}

// loadReleases has all files at hand.
func (b *bench) loadReleases(ctx context.Context) error {
	for _, c := range candidates() {
		if !slices.Contains(b.options.bundles, c.name) {
			continue
		}
		release, err := b.load(ctx, c.load)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		of := chosen{release: release, rounds: int(math.Ceil(c.share * float64(b.options.rounds)))}
		if c.before != nil {
			if of.before, err = b.load(ctx, c.before); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
		b.releases = append(b.releases, of)
		b.say("%s: %d objects, %d bytes as compact JSON, %d rounds", c.name, len(release.objects), release.compact, of.rounds)
	}
	return nil
}

func (b *bench) load(ctx context.Context, from func(context.Context, string) (*Release, error)) (*loaded, error) {
	r, err := from(ctx, b.dir)
	if err != nil {
		return nil, err
	}
	return load(r)
}

func (b *bench) prepareWays(ctx context.Context) error {
	var all []*Release
	for _, of := range b.releases {
		all = append(all, of.release.Release)
		if of.before != nil {
			all = append(all, of.before.Release)
		}
	}
	for _, w := range b.ways {
		b.say("prepares %s", w.Name())
		dir := filepath.Join(b.dir, w.Name())
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		if err := w.Prepare(ctx, Setup{Dir: dir, Releases: all, Say: b.say}); err != nil {
			return fmt.Errorf("%s: %w", w.Name(), err)
		}
	}
	return nil
}

// do runs a sequence and keeps what it measured.
func (b *bench) do(ctx context.Context, q sequence) error {
	if q.label == "" {
		q.label = q.way.Name()
	}
	all, err := b.again(ctx, func() (samples, error) { return q.do(ctx, b.dir) })
	if err != nil {
		return err
	}
	for _, s := range all {
		b.say("%s", s)
	}
	b.samples = append(b.samples, all...)
	return nil
}

// again does once more what has failed, on another cluster, and keeps what happened for the page.
func (b *bench) again(ctx context.Context, do func() (samples, error)) (samples, error) {
	all, err := do()
	if err == nil || ctx.Err() != nil {
		return all, err
	}
	b.say("failed, and is done once more: %v", err)
	b.failures = append(b.failures, err)
	return do()
}
