// Command manager is the controller of the Cluster API Add-on Provider Bundle.
package main

import (
	"context"
	"fmt"
	"os"

	"k8s.io/klog/v2"
	"sigs.k8s.io/cluster-api/util/flags"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/app"
)

// version of the provider, set by the linker.
var version = "v0.0.0-dev"

func main() {
	app.RunChild()
	if len(os.Args) > 1 && os.Args[1] == takeoverCommand {
		ctrl.SetLogger(klog.Background())
		os.Exit(takeover(ctrl.SetupSignalHandler(), os.Args[2:], os.Stdout, os.Stderr))
	}
	opts, err := parseOptions(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
	if opts.showVersion {
		fmt.Println(version)
		return
	}
	ctrl.SetLogger(app.BoundedLog(klog.Background()))
	if err := run(ctrl.SetupSignalHandler(), opts); err != nil {
		ctrl.Log.Error(err, "manager exited with error")
		os.Exit(1)
	}
}

// run runs the manager until ctx is done.
func run(ctx context.Context, opts *options) error {
	cfg, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	_, metrics, err := flags.GetManagerOptions(opts.diagnostics)
	if err != nil {
		return err
	}
	opts.app.Version, opts.app.Manager.Metrics = version, *metrics
	return app.Run(ctx, cfg, opts.app)
}
