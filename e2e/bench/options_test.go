package main

import (
	"slices"
	"strings"
	"testing"
)

func TestVariablesChooseAPart(t *testing.T) {
	t.Parallel()
	known, ways := []string{"a", "b", "c"}, []string{"x", "y"}
	tests := map[string]struct {
		env           map[string]string
		bundles, ways []string
		rounds        int
		whole         bool
		problem       string
	}{
		"nothing":                      {nil, known, ways, defaultRounds, true, ""},
		"some, in the order of tables": {map[string]string{bundlesVariable: "c, a"}, []string{"a", "c"}, ways, defaultRounds, false, ""},
		"a way":                        {map[string]string{waysVariable: "y"}, known, []string{"y"}, defaultRounds, false, ""},
		"too few rounds":               {map[string]string{roundsVariable: "2"}, known, ways, 2, false, ""},
		"fewer rounds":                 {map[string]string{roundsVariable: "3"}, known, ways, 3, true, ""},
		"more rounds":                  {map[string]string{roundsVariable: "9"}, known, ways, 9, true, ""},
		"a name that is not known":     {map[string]string{waysVariable: "z"}, nil, nil, 0, false, `WAYS: there is no "z"; there are x, y`},
		"no rounds":                    {map[string]string{roundsVariable: "0"}, nil, nil, 0, false, "ROUNDS=0"},
		"rounds that are no number":    {map[string]string{roundsVariable: "many"}, nil, nil, 0, false, "ROUNDS=many"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, err := parseOptions(func(name string) string { return tc.env[name] }, known, ways)
			if tc.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tc.problem) {
					t.Fatalf("got %v, want %q", err, tc.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(o.bundles, tc.bundles) || !slices.Equal(o.ways, tc.ways) || o.rounds != tc.rounds || o.whole != tc.whole {
				t.Errorf("got %+v", o)
			}
		})
	}
}

func TestEachRoundBeginsWithAnotherWay(t *testing.T) {
	t.Parallel()
	var first []string
	for round := range 4 {
		first = append(first, strings.Join(rotated([]string{"a", "b", "c"}, round), ""))
	}
	if want := []string{"abc", "bca", "cab", "abc"}; !slices.Equal(first, want) {
		t.Errorf("got %v, want %v", first, want)
	}
}

func TestTooFewFilesAreAClearWord(t *testing.T) {
	t.Parallel()
	if err := enoughFiles(1024); err == nil || !strings.Contains(err.Error(), "ulimit -n 4096") {
		t.Errorf("got %v", err)
	}
	if err := enoughFiles(neededFiles); err != nil {
		t.Error(err)
	}
}

func TestATunedEnvironmentIsAClearWord(t *testing.T) {
	t.Parallel()
	env := map[string]string{}
	get := func(name string) string { return env[name] }
	if err := checkVariables(get); err != nil {
		t.Error(err)
	}
	env["GOGC"] = "200"
	if err := checkVariables(get); err == nil || !strings.Contains(err.Error(), "GOGC is set") {
		t.Errorf("got %v", err)
	}
}
