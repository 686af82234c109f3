package takeover

import (
	"context"
	"fmt"
	"io"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/takeover"
)

// Config is what is taken over, and how. All fields but Options and Apply are required.
type Config struct {
	// Client of the management cluster.
	Client client.Client
	// Connect returns a client of a workload cluster for its kubeconfig.
	Connect func(kubeconfig []byte) (client.Client, error)
	// Namespace and Name are those of the ClusterResourceSet.
	Namespace, Name string
	// Options are what can be chosen of what takes its place.
	Options takeover.Options
	// Apply writes what takes its place. Without it everything is only read.
	Apply bool
	// Out gets the YAML, and Report what would happen or has happened.
	Out, Report io.Writer
}

// run is one run of the command.
type run struct {
	Config

	given takeover.Given
	plan  *takeover.Plan
}

// Run takes over a ClusterResourceSet, or reports what that would do.
func Run(ctx context.Context, cfg Config) error {
	r := &run{Config: cfg}
	if err := r.read(ctx); err != nil {
		return err
	}
	var err error
	if r.plan, err = takeover.New(r.given, cfg.Options, manifest.DefaultLimits()); err != nil {
		return err
	}
	for _, object := range []client.Object{r.plan.Bundle, r.plan.Set} {
		if err := r.print(object); err != nil {
			return err
		}
	}
	r.summarize(ctx)
	if err := r.write(ctx); err != nil {
		return err
	}
	return r.conclude(ctx)
}

// print writes an object as YAML.
func (r *run) print(object client.Object) error {
	text, err := yaml.Marshal(object)
	if err != nil {
		return fmt.Errorf("%s: %w", object.GetName(), err)
	}
	_, err = fmt.Fprintf(r.Out, "---\n%s", text)
	return err
}

// reportf writes a line of the report. That a terminal is gone ends nothing.
func (r *run) reportf(format string, args ...any) {
	_, _ = fmt.Fprintf(r.Report, format+"\n", args...)
}

// summarize reports what is taken over, and what would be different.
func (r *run) summarize(ctx context.Context) {
	r.reportf("ClusterResourceSet %s/%s: %d resources with %d objects for %d Clusters",
		r.Namespace, r.Name, len(r.plan.Resources), len(r.plan.Objects), len(r.plan.Clusters))
	for _, compared := range r.compare(ctx) {
		r.reportf("%s", compared)
	}
	for _, warning := range r.plan.Warnings {
		r.reportf("Warning: %s", warning)
	}
}

// conclude reports what is to be done next.
func (r *run) conclude(ctx context.Context) error {
	bundle, delivered, err := r.written(ctx)
	if err != nil {
		return err
	}
	blockers := r.plan.Blockers(r.given, bundle, delivered)
	switch {
	case bundle == nil:
		r.reportf("Nothing was written: repeat the command with --apply to write it.")
	case len(blockers) == 0:
		r.reportf("The ClusterResourceSet can be removed: kubectl delete clusterresourceset -n %s %s", r.Namespace, r.Name)
	default:
		r.reportf("The ClusterResourceSet cannot be removed yet:")
		for _, blocker := range blockers {
			r.reportf("- %s", blocker)
		}
		r.reportf("Repeat the command to look again.")
	}
	return nil
}
