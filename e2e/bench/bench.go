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

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
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
	all, err := q.do(ctx, b.dir)
	if err != nil {
		return err
	}
	for _, s := range all {
		b.say("%s", s)
	}
	b.samples = append(b.samples, all...)
	return nil
}

// widthResult is what the floor took with a width.
type widthResult struct {
	width   int
	seconds float64
}

// findWidth lets the floor use the width that is best here.
func (b *bench) findWidth(ctx context.Context) error {
	f := b.floor()
	if f == nil || len(b.releases) == 0 {
		return nil
	}
	of := b.releases[0]
	best := widthResult{seconds: math.Inf(1)}
	for _, width := range floorWidths {
		f.width = width
		all, err := sequence{way: f, mode: timed, release: of.release, steps: []StepKind{Install}, label: floorName}.do(ctx, b.dir)
		if err != nil {
			return err
		}
		r := widthResult{width, all[0].served.Seconds()}
		b.say("the floor with %d requests at once: %s served after %.2f s", width, of.release.Name(), r.seconds)
		b.widths = append(b.widths, r)
		if r.seconds < best.seconds {
			best = r
		}
	}
	f.width = best.width
	return nil
}

func (b *bench) floor() *childWay {
	for _, w := range b.ways {
		if f, ok := w.(*childWay); ok && f.name == floorName {
			return f
		}
	}
	return nil
}

// measureTimes runs the rounds in which the order of the ways rotates.
func (b *bench) measureTimes(ctx context.Context) error {
	for round := range b.options.rounds {
		for _, of := range b.releases {
			if round >= of.rounds {
				continue
			}
			for _, w := range rotated(b.ways, round) {
				if err := b.measureWay(ctx, w, of, timed, round); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// rotated begins with another element each round.
func rotated[T any](all []T, by int) []T {
	if len(all) == 0 {
		return nil
	}
	by %= len(all)
	return slices.Concat(all[by:], all[:by])
}

// laterRounds are those in which more than an installation is measured: the rest of the time
// is for what the goals are about first.
const laterRounds = 3

// measureWay installs, does the same again and repairs on one cluster, and upgrades on another.
func (b *bench) measureWay(ctx context.Context, w Way, of chosen, m mode, round int) error {
	q := sequence{way: w, mode: m, round: round, release: of.release, steps: []StepKind{Install, Again, Repair}}
	later := round < laterRounds && (m == timed || of.release.Name() == goalRelease)
	if !later {
		q.steps = q.steps[:1]
	}
	if err := b.do(ctx, q); err != nil {
		return err
	}
	if of.before == nil || !later {
		return nil
	}
	q.first, q.steps = of.before, []StepKind{Upgrade}
	return b.do(ctx, q)
}

// measureCounts does all of the first release once more, and the installation of the others,
// behind a proxy that counts.
func (b *bench) measureCounts(ctx context.Context) error {
	b.say("counts requests and bytes, in a round of its own")
	for _, of := range b.releases {
		for _, w := range b.ways {
			if err := b.measureWay(ctx, w, of, counted, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// slowRounds are few: most of the time is that of the link, which does not vary.
const slowRounds = 2

// measureSlow compares the floor, with all bytes, with this provider without descriptions.
func (b *bench) measureSlow(ctx context.Context) error {
	at := slices.IndexFunc(b.releases, func(of chosen) bool { return of.release.Name() == goalRelease })
	if at < 0 {
		return nil
	}
	b.say("installs %s over a link of %s", goalRelease, linkText())
	for round := range slowRounds {
		for _, w := range rotated(b.ways, round) {
			q := sequence{way: w, mode: slow, round: round, release: b.releases[at].release, steps: []StepKind{Install}}
			if w.Name() != floorName && w.Name() != providerName {
				continue
			}
			if w.Name() == providerName {
				q.descriptions, q.label = v1alpha1.StripCRDDescriptions, strippedName
			}
			if err := b.do(ctx, q); err != nil {
				return err
			}
		}
	}
	return nil
}
