package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/app"
)

// takeoverCommand is the first argument of the command that takes over a
// ClusterResourceSet.
const takeoverCommand = "takeover"

// takeoverUsage is what its --help begins with.
const takeoverUsage = `Write the Bundle and the ClusterBundleSet that take the place of a ClusterResourceSet.

Without --apply nothing is written: the YAML goes to standard output, and what
would happen to standard error. The ClusterResourceSet itself stays as it is.

  manager takeover --crs NAME [-n NAMESPACE] [--apply]

`

// takeoverFlags are the flags of the command.
type takeoverFlags struct {
	app.TakeoverOptions

	kubeconfig, context string
}

// takeover runs the command, and returns the exit code of the program.
func takeover(ctx context.Context, args []string, out, report io.Writer) int {
	f, err := parseTakeover(args, report)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return 0
	case err != nil:
		_, _ = fmt.Fprintln(report, "error:", err)
		return 2
	}
	if err := f.run(ctx, out, report); err != nil {
		_, _ = fmt.Fprintln(report, "error:", err)
		return 1
	}
	return 0
}

// parseTakeover reads the flags.
func parseTakeover(args []string, report io.Writer) (*takeoverFlags, error) {
	f := &takeoverFlags{}
	fs := pflag.NewFlagSet(takeoverCommand, pflag.ContinueOnError)
	fs.SortFlags = false
	fs.Usage = func() { _, _ = fmt.Fprint(report, takeoverUsage, fs.FlagUsages()) }
	fs.StringVar(&f.ClusterResourceSet, "crs", "", "Name of the ClusterResourceSet. Required.")
	fs.StringVarP(&f.Namespace, "namespace", "n", "", "Its namespace. Default: that of the context.")
	fs.BoolVar(&f.Apply, "apply", false, "Write the Bundle and the ClusterBundleSet.")
	fs.StringVar(&f.Name, "name", "", "Name of both. Default: that of the ClusterResourceSet.")
	fs.StringVar(&f.Version, "version", "1.0.0", "Version of the release, as what is delivered calls itself.")
	fs.StringVar(&f.Strategy, "strategy", "", "Reconcile or ApplyOnce. Default: that of the ClusterResourceSet.")
	fs.StringVar(&f.kubeconfig, "kubeconfig", "", "Kubeconfig of the management cluster. Default: as kubectl.")
	fs.StringVar(&f.context, "context", "", "Context of the kubeconfig. Default: its current one.")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unknown argument %q", fs.Arg(0))
	}
	if f.ClusterResourceSet == "" {
		return nil, errors.New("--crs is required: the name of a ClusterResourceSet")
	}
	return f, nil
}

// run connects to the management cluster as kubectl does, and takes over.
func (f *takeoverFlags) run(ctx context.Context, out, report io.Writer) error {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = f.kubeconfig
	given := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: f.context})
	cfg, err := given.ClientConfig()
	if err != nil {
		return err
	}
	if f.Namespace == "" {
		if f.Namespace, _, err = given.Namespace(); err != nil {
			return err
		}
	}
	return app.Takeover(ctx, cfg, f.TakeoverOptions, out, report)
}
