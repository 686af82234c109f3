package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Names of the variables that choose a part of the run.
const (
	bundlesVariable = "BUNDLES"
	waysVariable    = "WAYS"
	roundsVariable  = "ROUNDS"
)

const (
	defaultRounds = 5
	maxRounds     = 100
	// leastRounds are those without which a median says little.
	leastRounds = 3
)

// options are what is run.
type options struct {
	bundles, ways []string
	rounds        int
	// whole is set if nothing was left out: only then docs/ is written.
	whole bool
}

// parseOptions reads the variables. known are all names that there are.
func parseOptions(env func(string) string, bundles, ways []string) (options, error) {
	o := options{rounds: defaultRounds}
	var err error
	if o.bundles, err = choose(bundlesVariable, env(bundlesVariable), bundles); err != nil {
		return o, err
	}
	if o.ways, err = choose(waysVariable, env(waysVariable), ways); err != nil {
		return o, err
	}
	if text := env(roundsVariable); text != "" {
		if o.rounds, err = strconv.Atoi(text); err != nil || o.rounds < 1 || o.rounds > maxRounds {
			return o, fmt.Errorf("%s=%s is not a number from 1 to %d", roundsVariable, text, maxRounds)
		}
	}
	o.whole = len(o.bundles) == len(bundles) && len(o.ways) == len(ways) && o.rounds >= leastRounds
	return o, nil
}

// choose returns those of known that the text lists, in the order of known: all if it is empty.
func choose(variable, text string, known []string) ([]string, error) {
	if text == "" {
		return known, nil
	}
	wanted := strings.Split(text, ",")
	for i, name := range wanted {
		wanted[i] = strings.TrimSpace(name)
		if !slices.Contains(known, wanted[i]) {
			return nil, fmt.Errorf("%s: there is no %q; there are %s", variable, wanted[i], strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(known), func(name string) bool { return !slices.Contains(wanted, name) }), nil
}
