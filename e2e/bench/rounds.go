package main

import (
	"context"
	"math"
	"slices"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

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
