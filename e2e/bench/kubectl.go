package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/measure"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// kubectl is what a person does, or a script: the commands that upstream's pages name.
type kubectl struct {
	program, dir string
}

// Name of the way.
func (k *kubectl) Name() string { return "kubectl" }

// Describe names the commands.
func (k *kubectl) Describe() string {
	return "kubectl of the control plane's version: `apply --server-side --force-conflicts` of the CRDs, " +
		"`wait --for=condition=Established`, apply of the rest"
}

// Prepare writes the CRDs of each release into a file of their own, where upstream has not.
func (k *kubectl) Prepare(_ context.Context, s Setup) (err error) {
	if k.program, err = testenv.Program("kubectl"); err != nil {
		return err
	}
	k.dir = s.Dir
	for _, release := range s.Releases {
		objects, err := release.Objects()
		if err != nil {
			return err
		}
		definitions, others := splitDefinitions(objects)
		for name, part := range map[string][]*Object{definitionsFile: definitions, othersFile: others} {
			if err := writeDocuments(k.file(release, name), part); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close has nothing to stop.
func (k *kubectl) Close() {}

const (
	definitionsFile = "crds.yaml"
	othersFile      = "others.yaml"
)

func (k *kubectl) file(r *Release, name string) string {
	return filepath.Join(k.dir, r.Name()+"-"+name)
}

func splitDefinitions(objects []*Object) (definitions, others []*Object) {
	for _, o := range objects {
		if o.IsDefinition() {
			definitions = append(definitions, o)
		} else {
			others = append(others, o)
		}
	}
	return definitions, others
}

// writeDocuments writes the objects as they were published.
func writeDocuments(path string, objects []*Object) error {
	var out bytes.Buffer
	for _, o := range objects {
		out.WriteString("---\n")
		out.Write(o.Source)
		out.WriteString("\n")
	}
	return os.WriteFile(path, out.Bytes(), 0o600)
}

// Attach needs nothing.
func (k *kubectl) Attach(_ context.Context, t *Target) (Session, error) {
	return &kubectlSession{kubectl: k, target: t}, nil
}

type kubectlSession struct {
	*kubectl

	target *Target
}

// Close has nothing to end.
func (s *kubectlSession) Close(context.Context) error { return nil }

// Ready returns what runs the commands one after another.
func (s *kubectlSession) Ready(_ context.Context, step Step) (Run, error) {
	definitions, others := s.file(step.Release, definitionsFile), s.file(step.Release, othersFile)
	apply := []string{"apply", "--server-side", "--force-conflicts", "-f"}
	commands := [][]string{
		append(slices.Clone(apply), definitions),
		{"wait", "--for=condition=Established", "--timeout=5m", "-f", definitions},
		append(slices.Clone(apply), others),
	}
	return func(ctx context.Context, _ <-chan struct{}) (measure.Usage, error) {
		var all measure.Usage
		for _, args := range commands {
			used, err := s.command(ctx, args)
			if err != nil {
				return measure.Usage{}, err
			}
			all.CPU += used.CPU
			all.PeakMemory = max(all.PeakMemory, used.PeakMemory)
		}
		return all, nil
	}, nil
}

// command runs kubectl. Its cache of discovery is that of the target.
func (s *kubectlSession) command(ctx context.Context, args []string) (measure.Usage, error) {
	cmd := exec.CommandContext(ctx, s.program, append([]string{"--kubeconfig=" + s.target.Kubeconfig}, args...)...)
	cmd.Env = append(os.Environ(), "KUBECACHEDIR="+filepath.Join(s.dir, "cache-"+s.target.Name))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return measure.Usage{}, err
	}
	peak := measure.WatchPeak(cmd.Process.Pid)
	err := cmd.Wait()
	used := measure.Usage{PeakMemory: peak.Stop()}
	if err != nil {
		return used, fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, lastBytes(stderr.Bytes()))
	}
	used.CPU = measure.CPUOfEnded(cmd.ProcessState)
	return used, nil
}
