package configuration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

const (
	// every is how often the file is looked at. A ConfigMap takes a minute to get there.
	every = time.Second
	// reportPause is how many looks pass until a report that failed is tried again.
	reportPause = 60
)

// Config configures a File. All fields but Path are required.
type Config struct {
	// Path of the file. Empty: there is none, and the defaults hold.
	Path string
	// Apply has settings take effect. It is called by Start, one call at a time.
	Apply func(Settings)
	// Report reports why the file that is there now does not hold, nil if it does. It is
	// called again until it succeeds.
	Report func(ctx context.Context, problem error) error
}

// File is the file of a manager, which runs it.
type File struct {
	Config

	settings Settings
	// held is what holds, seen what was there at the last look, and refused what was found
	// wrong. They are nil for a file that is not there.
	held, seen, refused []byte
	problem             error
	// reported is false while the problem, or that there is none, is still to be reported,
	// which is tried again after some looks.
	reported bool
	pause    int
}

var (
	_ manager.Runnable               = (*File)(nil)
	_ manager.LeaderElectionRunnable = (*File)(nil)
)

// Open returns the file, or an error if it is wrong. One that is not there may come later.
func Open(path string) (*File, error) {
	f := &File{Config: Config{Path: path}, settings: Defaults()}
	if path == "" {
		return f, nil
	}
	content, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	if content != nil {
		if f.settings, err = Read(content); err != nil {
			return nil, fmt.Errorf("configuration %s: %w", path, err)
		}
	}
	f.held, f.seen = content, content
	return f, nil
}

// Settings returns those of the file as it was opened.
func (f *File) Settings() Settings { return f.settings }

// NeedLeaderElection returns false: who waits to lead is configured, too.
func (f *File) NeedLeaderElection() bool { return false }

// Start looks at the file until ctx is done.
func (f *File) Start(ctx context.Context) error {
	if f.Path == "" {
		return nil
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		f.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// look takes the file if it changed, and reports what it found.
func (f *File) look(ctx context.Context) {
	if content, err := read(f.Path); err != nil {
		f.found(ctx, err)
	} else {
		f.changed(ctx, content)
	}
	f.report(ctx)
}

// report reports what was found, unless it did.
func (f *File) report(ctx context.Context) {
	if f.pause > 0 {
		f.pause--
	}
	if f.reported || f.pause > 0 {
		return
	}
	if err := f.Report(ctx, f.problem); err != nil {
		log.FromContext(ctx).Error(err, "Reporting on the configuration failed")
		f.pause = reportPause
		return
	}
	f.reported = true
}

// changed takes content if it is new, and was there at the look before: a file that is
// being written, and cut off between two of its lines, can look whole.
func (f *File) changed(ctx context.Context, content []byte) {
	settled := same(content, f.seen)
	f.seen = content
	switch {
	case !settled:
	case same(content, f.held):
		f.refused = nil
		f.found(ctx, nil)
	case content == nil:
		f.found(ctx, errors.New("the file is gone: what it said holds until the manager ends"))
	case !same(content, f.refused):
		f.take(ctx, content)
	}
}

// take has a file take effect, unless it is wrong.
func (f *File) take(ctx context.Context, content []byte) {
	settings, err := Read(content)
	if err != nil {
		f.refused = content
		f.found(ctx, err)
		return
	}
	f.Apply(settings)
	f.held, f.refused = content, nil
	f.reported = false
	f.found(ctx, nil)
	log.FromContext(ctx).Info("Took the configuration", "path", f.Path)
}

// found records what is wrong with the file, and has it reported if that is new.
func (f *File) found(ctx context.Context, problem error) {
	if f.problem != nil && problem != nil && f.problem.Error() == problem.Error() || f.problem == nil && problem == nil {
		return
	}
	if problem != nil {
		log.FromContext(ctx).Error(problem, "The configuration is wrong: the one before still holds", "path", f.Path)
	}
	f.problem, f.reported = problem, false
}

// same reports whether two contents are equal, or both of a file that is not there.
func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// read returns the content of a file, nil if it is not there, and at most one byte more
// than it may have.
func read(path string) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // it is the operator who names it, by a flag
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	content, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	if err != nil {
		return nil, err
	}
	return append([]byte{}, content...), nil // not nil where it is empty
}
