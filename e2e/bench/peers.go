package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/bench/packing"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/bench/peer"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/measure"
)

const (
	// peerTime bounds one pass of a peer.
	peerTime = 5 * time.Minute
	// peerPackages is where the programs of the peers are.
	peerPackages = "github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/bench/"
)

// peerWay is a way whose client is a program with the code of another project (package
// peer), which stays for all steps on a target, as the controller does that it is from.
type peerWay struct {
	// name is also that of the package of the program.
	name string
	// module is the library that does the work, and what says how.
	module, what string
	// pack writes a release in the form that the peer takes. nil: it takes it as published.
	pack func(path string, r *Release) error
	// cannot has the steps that it does not do, and why.
	cannot map[StepKind]string
	// leaves says what it leaves out of a step, if it is not nil.
	leaves func(StepKind, *Object) bool
	// carries returns why it cannot carry a release, "" if it can. nil: it can carry any.
	carries func(*Release) (why string, err error)

	program string
	// files of each release, or why it cannot be carried.
	files    map[string][]string
	tooLarge map[string]string
}

func newFlux() *peerWay {
	return &peerWay{
		name: fluxName, module: "github.com/fluxcd/pkg/ssa",
		what: "ApplyAllStaged with the options of kustomize-controller, its diff and its prune",
	}
}

func newHelm() *peerWay {
	return &peerWay{
		name: helmName, module: "helm.sh/helm/v4",
		what: "the library, asked as the Cluster API Add-on Provider for Helm asks that of Helm 3; " +
			"its upgrades leave out the CRDs, which are in the folder crds of the chart",
		pack: func(path string, r *Release) error { return packing.Chart(path, r.Version, r.allFiles()) },
		cannot: map[StepKind]string{
			Repair: "a release that has the version of the chart is left alone",
		},
		leaves:  func(kind StepKind, o *Object) bool { return kind == Upgrade && o.IsDefinition() },
		carries: fitsInRelease,
	}
}

// Name is short.
func (w *peerWay) Name() string { return w.name }

// Describe names the version of the library, which is known once the program is built.
func (w *peerWay) Describe() string {
	return fmt.Sprintf("%s %s: %s", w.module, versionIn(w.program, w.module), w.what)
}

// Prepare builds the program and packs the releases.
func (w *peerWay) Prepare(ctx context.Context, s Setup) (err error) {
	s.Say("%s: builds its program", w.name)
	if w.program, err = peer.Build(ctx, peerPackages+w.name, s.Dir); err != nil {
		return err
	}
	w.files, w.tooLarge = map[string][]string{}, map[string]string{}
	for _, r := range s.Releases {
		if err := w.prepare(s.Dir, r); err != nil {
			return fmt.Errorf("%s: %s: %w", w.name, r.Name(), err)
		}
	}
	return nil
}

// prepare packs a release.
func (w *peerWay) prepare(dir string, r *Release) (err error) {
	w.files[r.Name()] = r.allFiles()
	if w.carries != nil {
		if w.tooLarge[r.Name()], err = w.carries(r); err != nil {
			return err
		}
	}
	if w.pack == nil {
		return nil
	}
	path := filepath.Join(dir, r.Name()+".tgz")
	w.files[r.Name()] = []string{path}
	return w.pack(path, r)
}

// leavesOut says what it does not bring in a step.
func (w *peerWay) leavesOut(kind StepKind, o *Object) bool {
	return w.leaves != nil && w.leaves(kind, o)
}

// Attach starts the program.
func (w *peerWay) Attach(_ context.Context, t *Target) (Session, error) {
	process, err := peer.Start(w.program)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.name, err)
	}
	return &peerSession{way: w, target: t, process: process}, nil
}

// Close has nothing to stop: the programs end with their sessions.
func (w *peerWay) Close() {}

type peerSession struct {
	way     *peerWay
	target  *Target
	process *peer.Process
}

// Ready has nothing to do: the program waits for orders.
func (s *peerSession) Ready(_ context.Context, step Step) (Run, error) {
	if why, cannot := s.way.cannot[step.Kind]; cannot {
		return nil, &Cannot{Why: why}
	}
	if why := s.way.tooLarge[step.Release.Name()]; why != "" {
		return nil, &Cannot{Why: why}
	}
	before, err := usedFrom(s.process.PID())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.way.name, err)
	}
	return func(ctx context.Context, _ <-chan struct{}) (measure.Usage, error) {
		return s.run(ctx, step, before)
	}, nil
}

// run hands the step over. What the program finds to be unchanged is its own business.
func (s *peerSession) run(ctx context.Context, step Step, before measure.Usage) (measure.Usage, error) {
	_, err := s.process.Do(ctx, peer.Order{
		Kubeconfig: s.target.Kubeconfig, Version: step.Release.Version,
		Files: s.way.files[step.Release.Name()], Within: peerTime,
	})
	if err != nil {
		return measure.Usage{}, failed(ctx, err)
	}
	return usedSince(s.process.PID(), before)
}

// failed is the error of a peer that does not do what it should: it is shown in its row, and
// the others go on. That the run is interrupted is no failure of the peer.
func failed(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return &Cannot{Why: "it failed: " + line}
}

// fitsInRelease asks whether Helm can keep a release with the chart in it, as it does.
func fitsInRelease(r *Release) (why string, err error) {
	size, err := packing.ReleaseSize(r.allFiles())
	if err != nil || size <= corev1.MaxSecretSize {
		return "", err
	}
	return fmt.Sprintf("the Secret with the release, which has the chart in it, would have %s bytes, over the limit of %s",
		countText(int64(size)), countText(corev1.MaxSecretSize)), nil
}

// delivered returns what the way brings in a step: nobody waits for the rest.
func (q sequence) delivered(kind StepKind, objects []*Object) []*Object {
	w, ok := q.way.(interface {
		leavesOut(kind StepKind, o *Object) bool
	})
	if !ok {
		return objects
	}
	return slices.DeleteFunc(slices.Clone(objects), func(o *Object) bool { return w.leavesOut(kind, o) })
}

// Close ends the program.
func (s *peerSession) Close(context.Context) error {
	s.process.Stop()
	return nil
}

// usedFrom returns what a process has used so far, and makes its peak begin anew.
func usedFrom(pid int) (measure.Usage, error) {
	if err := measure.ResetPeak(pid); err != nil {
		return measure.Usage{}, err
	}
	return measure.Of(pid)
}

// usedSince returns what a process used since then. Its memory is all that it has.
func usedSince(pid int, before measure.Usage) (measure.Usage, error) {
	used, err := measure.Of(pid)
	used.CPU -= before.CPU
	return used, err
}

// allFiles are those of all phases.
func (r *Release) allFiles() []string {
	var files []string
	for _, phase := range r.Phases {
		files = append(files, phase.Files...)
	}
	return files
}

// versionIn returns the version of a module that a program is built of.
func versionIn(program, module string) string {
	built, err := buildinfo.ReadFile(program)
	if err != nil {
		return "of an unknown version"
	}
	for _, of := range append(built.Deps, &built.Main) {
		if of.Path == module {
			return of.Version
		}
	}
	return "of an unknown version"
}
