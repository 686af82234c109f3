package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/fleet/outcome"
)

// report writes what all runs in the folder measured into the page, and draws the plots
// beside it.
func report(out io.Writer, o options) error {
	runs, err := outcome.LoadRuns(o.out)
	if err != nil {
		return err
	}
	if len(runs) == 0 {
		return fmt.Errorf("the folder %s has no run: make one with \"make scale\"", o.out)
	}
	page, err := os.ReadFile(o.page)
	if err != nil {
		return err
	}
	plots, err := outcome.Plots(runs)
	if err != nil {
		return err
	}
	written, err := outcome.Insert(string(page), runs, plots)
	if err != nil {
		return fmt.Errorf("%s: %w", o.page, err)
	}
	failed := []error{os.WriteFile(o.page, []byte(written), 0o644)} //nolint:gosec // A page is for everybody.
	for _, p := range plots {
		failed = append(failed, os.WriteFile(filepath.Join(filepath.Dir(o.page), p.File), p.SVG, 0o644)) //nolint:gosec // So is a plot.
	}
	for _, r := range runs {
		_, _ = fmt.Fprintf(out, "%s, %s\n", r.Title(), r.Machine.Date)
	}
	return errors.Join(failed...)
}
