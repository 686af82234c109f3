package dependency

import (
	"strings"
	"testing"
)

func TestASetThatWaitsForItselfIsInACycle(t *testing.T) {
	t.Parallel()
	two := map[string][]string{"cni": {"logging"}, "logging": {"cni"}, "apps": {"logging"}, "dns": nil}
	ring := map[string][]string{"c": {"a"}, "b": {"c", "d"}, "a": {"b"}, "d": nil}
	eight := map[string][]string{"m": {"z", "b"}, "b": {"c"}, "c": {"m"}, "z": {"m"}}
	tests := map[string]struct {
		given     string
		dependsOn map[string][]string
		want      string
	}{
		"the one with the smallest name":         {"cni", two, "cni -> logging -> cni"},
		"the other one, in the same words":       {"logging", two, "cni -> logging -> cni"},
		"not one that depends on a cycle":        {"apps", two, ""},
		"not one that depends on nothing":        {"dns", two, ""},
		"not one that nobody knows":              {"gone", two, ""},
		"three sets, at the first":               {"a", ring, "a -> b -> c -> a"},
		"three sets, at the last":                {"c", ring, "a -> b -> c -> a"},
		"the shortest of two cycles":             {"m", eight, "m -> z -> m"},
		"the only one of two that a set is in":   {"c", eight, "b -> c -> m -> b"},
		"a set that names itself":                {"a", map[string][]string{"a": {"a"}}, "a -> a"},
		"a chain to a set that does not exist":   {"a", map[string][]string{"a": {"b"}, "b": {"gone"}}, ""},
		"two ways to one set, which is no cycle": {"a", map[string][]string{"a": {"b", "c"}, "b": {"d"}, "c": {"d"}}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := strings.Join(Cycle(test.given, test.dependsOn), " -> "); got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}
