package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Variables with the folders that the run writes to: those of "make bench".
const (
	docsVariable = "DOCS_DIR"
	outVariable  = "OUT_DIR"
)

// page is the file of docs/ with the results, between the two markers.
const (
	page       = "benchmarks.md"
	beginMark  = "<!-- what make bench writes begins here -->"
	endMark    = "<!-- and ends here -->"
	plotPrefix = "benchmarks-"
)

// report writes the page and the plots: to docs/ if the run was whole, else beside it. What
// fails before leaves everything as it was.
func (b *bench) report() error {
	text, err := b.results()
	if err != nil {
		return err
	}
	docs, dir := os.Getenv(docsVariable), os.Getenv(outVariable)
	before, err := os.ReadFile(filepath.Join(docs, page))
	if err != nil {
		return err
	}
	whole, err := between(string(before), text)
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	files, err := b.plots()
	if err != nil {
		return err
	}
	files[page] = []byte(whole)
	if b.options.whole {
		dir = docs
	}
	if err := writeAll(dir, files); err != nil {
		return err
	}
	_, _ = fmt.Fprint(b.out, "\n", text, "\n")
	b.say("wrote %s", filepath.Join(dir, page))
	return nil
}

// checkFolders is one of the checks before the run.
func checkFolders() error {
	var all []error
	for _, variable := range []string{docsVariable, outVariable} {
		if os.Getenv(variable) == "" {
			all = append(all, fmt.Errorf("%s is not set: run it by \"make bench\"", variable))
		}
	}
	if err := errors.Join(all...); err != nil {
		return err
	}
	before, err := os.ReadFile(filepath.Join(os.Getenv(docsVariable), page))
	if err != nil {
		return err
	}
	_, err = between(string(before), "")
	return err
}

// between replaces what is between the markers.
func between(page, text string) (string, error) {
	before, rest, begins := strings.Cut(page, beginMark)
	_, after, ends := strings.Cut(rest, endMark)
	if !begins || !ends {
		return "", errors.New("the markers of the results are missing")
	}
	return before + beginMark + "\n\n" + strings.TrimSpace(text) + "\n\n" + endMark + after, nil
}

// writeAll writes the files beside their places first, so that none is half written.
func writeAll(dir string, files map[string][]byte) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	temporary := func(name string) string { return filepath.Join(dir, "."+name+".new") }
	defer func() {
		for name := range files {
			err = errors.Join(err, ignoreMissing(os.Remove(temporary(name))))
		}
	}()
	for name, content := range files {
		if err := os.WriteFile(temporary(name), content, 0o644); err != nil {
			return err
		}
	}
	for name := range files {
		if err := os.Rename(temporary(name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// results is what is between the markers.
func (b *bench) results() (string, error) {
	here, err := machineHere()
	if err != nil {
		return "", err
	}
	var out strings.Builder
	fmt.Fprintf(&out, "`%s` on %s, %.0f minutes.\n\n", b.command(), here, b.elapsed().Minutes())
	for _, w := range b.ways {
		fmt.Fprintf(&out, "- **%s**: %s\n", w.Name(), w.Describe())
	}
	out.WriteString("\n" + b.versions() + "\n")
	for _, failure := range b.failures {
		text, _, _ := strings.Cut(failure.Error(), "\n")
		fmt.Fprintf(&out, "Failed, and done once more: %s.\n\n", text)
	}
	b.writeGoals(&out)
	for _, of := range b.releases {
		b.writeRelease(&out, of)
	}
	if slices.ContainsFunc(b.samples, func(s sample) bool { return s.mode == slow }) {
		fmt.Fprintf(&out, "## Over a link of %s\n\n%s, seconds, %d rounds.\n\n%s\n", linkText(), goalRelease, slowRounds, b.slowTable())
	}
	return out.String(), nil
}

// command as it was given.
func (b *bench) command() string {
	parts := []string{"make bench"}
	for _, variable := range []string{bundlesVariable, waysVariable, roundsVariable} {
		if value := os.Getenv(variable); value != "" {
			parts = append(parts, variable+"="+value)
		}
	}
	return strings.Join(parts, " ")
}

func (b *bench) writeGoals(out *strings.Builder) {
	at := slices.IndexFunc(b.releases, func(of chosen) bool { return of.release.Name() == goalRelease })
	if at < 0 {
		return
	}
	of := b.releases[at]
	t := &table{head: []string{"what, for " + goalRelease, "goal", "measured", "met"}}
	for _, o := range b.samples.objectives(of.release.compact, len(of.release.objects)) {
		t.add(o.row()...)
	}
	fmt.Fprintf(out, "## Goals\n\nRatios of medians of this run.\n\n%s\n![time until the operator is applied](%sinstall.svg)\n\n", t, plotPrefix)
	fmt.Fprintf(out, "![CPU seconds of an installation](%scpu.svg)\n\n", plotPrefix)
}

func (b *bench) writeRelease(out *strings.Builder, of chosen) {
	fmt.Fprintf(out, "## %s\n\n%d objects, %s bytes as compact JSON; %d rounds. Seconds: median (least–most).\n\n%s\n",
		of.release.Name(), len(of.release.objects), countText(of.release.compact), of.rounds, b.installTable(of))
	if of.before != nil {
		fmt.Fprintf(out, "What follows; the upgrade is from %s.\n\n", of.before.Name())
	}
	fmt.Fprintf(out, "%s\n%s\n%s\n", b.laterTable(of), b.trafficTable(of), b.storedTable(of))
}
