package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/fleet/remote"
)

// options are the flags.
type options struct {
	clusters int
	idle     time.Duration
	out      string
	page     string
}

func main() {
	ctrl.SetLogger(logr.Discard())
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Stdout, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: fleet scale|idle|report [-n clusters] [-idle time] [-out folder] [-page file]")

// command runs what the first argument names.
func command(ctx context.Context, out io.Writer, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	if args[0] == remote.Command {
		return remote.Serve(ctx, args[1:])
	}
	o, err := parse(args[1:])
	if err != nil {
		return err
	}
	switch args[0] {
	case "scale":
		return run(ctx, out, o, (*world).scaleSteps)
	case "idle":
		return run(ctx, out, o, (*world).idleSteps)
	case "report":
		return report(out, o)
	default:
		return errUsage
	}
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("fleet", flag.ContinueOnError)
	flags.IntVar(&o.clusters, "n", 100, "how many Clusters")
	flags.DurationVar(&o.idle, "idle", 10*time.Minute, "for how long nothing happens")
	flags.StringVar(&o.out, "out", "out", "folder of the results")
	flags.StringVar(&o.page, "page", "docs/sizing.md", "page that the report is written to")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 || o.clusters < 1 || o.clusters > maxClusters || o.idle < 0 {
		return o, fmt.Errorf("1 to %d Clusters: %w", maxClusters, errUsage)
	}
	return o, nil
}

// run makes a run and stops what it started.
func run(ctx context.Context, out io.Writer, o options, steps func(*world) []step) error {
	w := newWorld(out, o)
	defer w.stop()
	for _, s := range steps(w) {
		if err := w.do(ctx, s); err != nil {
			w.saveLog()
			return err
		}
	}
	w.stop()
	if err := w.result.Save(o.out); err != nil {
		return err
	}
	w.say("everything is stopped; the results are in %s", o.out)
	return nil
}
