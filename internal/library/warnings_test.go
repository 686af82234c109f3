package library

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
)

func TestWarningsAreJoinedWithinTheBoundsOfTheAPI(t *testing.T) {
	t.Parallel()
	many := func(n int) []string {
		warnings := make([]string, n)
		for i := range warnings {
			warnings[i] = fmt.Sprintf("a.yaml: %03d", i)
		}
		return warnings
	}
	long := strings.Repeat("x", 2000)
	tests := map[string]struct {
		given [][]string
		want  []string
	}{
		"no warnings are none":            {[][]string{nil, {}}, nil},
		"they are sorted, each once":      {[][]string{{"b", "a"}, {"c", "a"}}, []string{"a", "b", "c"}},
		"a long one is cut, on one line":  {[][]string{{"a\n" + long}}, []string{"a " + long[:1019] + "…"}},
		"as many as the API takes":        {[][]string{many(32)}, many(32)},
		"more than the API takes":         {[][]string{many(20), many(33)}, append(many(31), "2 more warnings are not listed")},
		"many more than that are counted": {[][]string{many(131)}, append(many(31), "100 more warnings are not listed")},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, joinWarnings(tc.given...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheWarningsOfAReleaseNameTheirParts(t *testing.T) {
	t.Parallel()
	r := resolved{phases: []resolvedPhase{{parts: []source.Part{
		{Name: "chart a", Warnings: []string{"it asked in vain"}}, {Name: "b.yaml"},
	}}}}
	if diff := cmp.Diff([]string{"chart a: it asked in vain"}, r.warnings()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
