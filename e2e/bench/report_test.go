package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// measured is a run of two ways without a cluster.
func measured(whole bool) *bench {
	b := &bench{
		out: &strings.Builder{}, started: time.Now(), options: options{rounds: 1, whole: whole},
		ways:     []Way{&provider{}, newFloor()},
		releases: []chosen{{release: &loaded{Release: &Release{Bundle: "calico", Version: "3.32.1"}, compact: 1000}, rounds: 1}},
	}
	b.samples = append(took(providerName, timed, time.Second), took(floorName, timed, 2*time.Second)...)
	return b
}

// folders makes docs/ with a page and a folder for what is not whole.
func folders(t *testing.T, page string) (docs, out string) {
	t.Helper()
	docs, out = t.TempDir(), filepath.Join(t.TempDir(), "bench")
	t.Setenv(docsVariable, docs)
	t.Setenv(outVariable, out)
	if err := os.WriteFile(filepath.Join(docs, "benchmarks.md"), []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	return docs, out
}

func read(t *testing.T, elements ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

const emptyPage = "# Title\n\n" + beginMark + "\nold\n" + endMark + "\n\nThe end.\n"

func TestAWholeRunReplacesTheResultsOfThePage(t *testing.T) {
	docs, _ := folders(t, emptyPage)
	if err := measured(true).report(); err != nil {
		t.Fatal(err)
	}
	got := read(t, docs, "benchmarks.md")
	for _, want := range []string{"# Title", "## Goals", "## calico-3.32.1", "| provider | 1.00 | 2.00 |", "The end."} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "old") {
		t.Error("the old results are still there")
	}
	if svg := read(t, docs, "benchmarks-install.svg"); !strings.Contains(svg, "<svg") {
		t.Error("the plot is no SVG")
	}
}

func TestWhatFailsIsDoneOnceMoreAndIsOnThePage(t *testing.T) {
	docs, _ := folders(t, emptyPage)
	b, calls := measured(true), 0
	fails := func(times int) func() (samples, error) {
		calls = 0
		return func() (samples, error) {
			if calls++; calls <= times {
				return nil, errors.New("flux: install: no answer\nmore of it")
			}
			return took(fluxName, timed, time.Second), nil
		}
	}
	if all, err := b.again(t.Context(), fails(1)); err != nil || len(all) != 1 {
		t.Errorf("got %v: %v", all, err)
	}
	if _, err := b.again(t.Context(), fails(2)); err == nil || calls != 2 {
		t.Errorf("after %d times: %v", calls, err)
	}
	if err := b.report(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, docs, "benchmarks.md"); !strings.Contains(got, "Failed, and done once more: flux: install: no answer.") {
		t.Errorf("the page hides it:\n%s", got)
	}
}

func TestAPartIsWrittenBesideThePage(t *testing.T) {
	docs, out := folders(t, emptyPage)
	if err := measured(false).report(); err != nil {
		t.Fatal(err)
	}
	if read(t, docs, "benchmarks.md") != emptyPage {
		t.Error("the page was changed")
	}
	if !strings.Contains(read(t, out, "benchmarks.md"), "## Goals") {
		t.Error("the part has no goals")
	}
}

func TestARunThatFailsLeavesThePage(t *testing.T) {
	docs, _ := folders(t, emptyPage)
	b := measured(true)
	b.ways = nil // There is nothing to draw.
	if err := b.report(); err == nil {
		t.Fatal("a plot without bars was drawn")
	}
	files, err := os.ReadDir(docs)
	if err != nil || len(files) != 1 || read(t, docs, "benchmarks.md") != emptyPage {
		t.Errorf("files %v, %v", files, err)
	}
}

func TestAPageWithoutMarkersIsAClearWord(t *testing.T) {
	folders(t, "# Title\n")
	if err := checkFolders(); err == nil || !strings.Contains(err.Error(), "markers") {
		t.Errorf("got %v", err)
	}
	t.Setenv(docsVariable, "")
	if err := checkFolders(); err == nil || !strings.Contains(err.Error(), "make bench") {
		t.Errorf("got %v", err)
	}
}
