package archive

import (
	"bytes"
	"strings"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestWhatAPatternFits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		given string
		path  string
		want  bool
	}{
		{"*.yaml", "a.yaml", true},
		{"*.yaml", "b/a.yaml", false},
		{"b/*.yaml", "b/a.yaml", true},
		{"b/*.yaml", "b/c/a.yaml", false},
		{"b/[ac]?.yaml", "b/a1.yaml", true},
		{"b/[ac]?.yaml", "b/b1.yaml", false},
		{"b/**", "b/c/d/a.yaml", true},
		{"b/**", "a/b/c.yaml", false},
		{"**/a.yaml", "a.yaml", true},
		{"**/a.yaml", "b/c/a.yaml", true},
		{"b/**/a.yaml", "b/a.yaml", true},
		{"b/**/a.yaml", "b/c/d/a.yaml", true},
		{"b/**/a.yaml", "c/b/a.yaml", false},
		{"**/b/*/a.yaml", "b/b/c/a.yaml", true},
		{"**/b/**/c/*.yaml", "a/b/c/d/c/e.yaml", true},
		{"**/b/**/c/*.yaml", "a/b/c/d/e.yaml", false},
		{"b**/a.yaml", "b1/a.yaml", true},
		{"b**/a.yaml", "b1/c/a.yaml", false},
	}
	for _, tc := range tests {
		p, problem := newPattern(tc.given)
		if problem != "" || p.fits(tc.path) != tc.want {
			t.Errorf("%s for %s: want %t, got %t %s", tc.given, tc.path, tc.want, !tc.want, problem)
		}
	}
}

func TestAPatternOfManyPartsEnds(t *testing.T) {
	t.Parallel()
	p, _ := newPattern(strings.Repeat("**/a*/", 100) + "b.yaml")
	if p.fits(strings.Repeat("aaaaaaaaaa/", 300) + "c.yaml") {
		t.Error("want it not to fit")
	}
}

func TestFilesThatFitPatterns(t *testing.T) {
	t.Parallel()
	given := [][]byte{
		regular("deploy/b.yaml", "2"), regular("deploy/a.yml", "1"), regular("deploy/README.md", "x"),
		regular("deploy/._a.yaml", "x"), regular("crds/v1/c.yaml", "4"), regular("crds/d.json", "5"),
		regular("ns.yaml", "0"), regular("test/e.yaml", "x"),
	}
	tests := map[string]struct {
		wanted []string
		want   []file
	}{
		"come in the order of the patterns, then in lexical order": {
			wanted: []string{"deploy/*", "crds/**"},
			want:   []file{{"deploy/a.yml", "1"}, {"deploy/b.yaml", "2"}, {"crds/d.json", "5"}, {"crds/v1/c.yaml", "4"}},
		},
		"come once": {
			wanted: []string{"deploy/b.yaml", "**/*.yaml"},
			want: []file{
				{"deploy/b.yaml", "2"}, {"crds/v1/c.yaml", "4"}, {"ns.yaml", "0"}, {"test/e.yaml", "x"},
			},
		},
		"come beside what is named": {
			wanted: []string{"ns.yaml", "./deploy//*.yml", "deploy/README.md"},
			want:   []file{{"ns.yaml", "0"}, {"deploy/a.yml", "1"}, {"deploy/README.md", "x"}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readFiles(bytes.NewReader(tarOf(given...)), Tar, tc.wanted, DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			wantFiles(t, tc.want, got)
		})
	}
}

func TestPatternsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given      string
		wantReason string
		wantText   string
	}{
		"one that fits nothing": {
			"deploy/*.yml", v1alpha1.ArchiveInvalidReason,
			`no .yaml, .yml or .json file in the archive fits the pattern "deploy/*.yml"`,
		},
		"one that fits no manifest": {"*.md", v1alpha1.ArchiveInvalidReason, `the pattern "*.md"`},
		"one without its end":       {"a/[b.yaml", v1alpha1.SourceInvalidReason, `file "a/[b.yaml": not a pattern`},
		"one that leads upwards":    {"../*.yaml", v1alpha1.SourceInvalidReason, `file "../*.yaml": ".." in the path`},
		"one that fits a link":      {"links/*.yaml", v1alpha1.ArchiveInvalidReason, "a symbolic link"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := tarOf(regular("deploy/b.yaml", "2"), regular("a.md", "x"), typed('2', "links/l.yaml", ""))
			_, err := readFiles(bytes.NewReader(given), Tar, []string{tc.given, "deploy/b.yaml"}, DefaultLimits())
			faulttest.Want(t, err, fault.ClassStall, tc.wantReason, tc.wantText)
		})
	}
}
