package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"runtime"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/cluster-api/controllers/remote"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/app/configuration"
)

// name of the provider: of its lease, its user agent and its events.
const name = "caapb-controller-manager"

// Run runs the manager against the management cluster of cfg until ctx is done. It
// returns an error when an option is invalid, the cache directory cannot be used,
// or the manager does not start or stop, such as when it loses its lease.
func Run(ctx context.Context, cfg *rest.Config, opts Options) error {
	if err := opts.validate(); err != nil {
		return err
	}
	if opts.Manager.ContentionProfiling {
		runtime.SetBlockProfileRate(1)
	}
	file, err := configuration.Open(opts.ConfigFile)
	if err != nil {
		return err
	}
	mgr, err := newManager(cfg, opts)
	if err != nil {
		return err
	}
	made, closeStore, err := newLibrary(ctx, mgr.GetAPIReader(), mgr.GetClient(), opts, file.Settings())
	if err != nil {
		return err
	}
	defer closeStore()
	if err := addConfiguration(mgr, file, made); err != nil {
		return err
	}
	if err := addControllers(ctx, mgr, made.library, opts); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// leaseName returns the name of the lease of the managers of which only one works: those
// for the same objects. The label of a filter may be no name of a lease.
func leaseName(opts ManagerOptions) string {
	if opts.Namespace == "" && opts.WatchFilter == "" {
		return name
	}
	const digits = 10
	sum := sha256.Sum256([]byte(opts.Namespace + "/" + opts.WatchFilter))
	return name + "-" + hex.EncodeToString(sum[:])[:digits]
}

// newManager returns a manager that caches what the controllers read.
func newManager(cfg *rest.Config, opts Options) (ctrl.Manager, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	cfg = rest.CopyConfig(cfg)
	cfg.UserAgent = remote.DefaultClusterAPIUserAgent(name)
	cfg.QPS, cfg.Burst = opts.Manager.KubeAPIQPS, opts.Manager.KubeAPIBurst
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         cacheOptions(opts.Manager),
		Metrics:                       opts.Manager.Metrics,
		HealthProbeBindAddress:        opts.Manager.HealthAddress,
		PprofBindAddress:              opts.Manager.ProfilerAddress,
		LeaderElection:                opts.Manager.LeaderElection,
		LeaderElectionID:              leaseName(opts.Manager),
		LeaderElectionNamespace:       opts.Manager.LeaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &opts.Manager.LeaseDuration,
		RenewDeadline:                 &opts.Manager.RenewDeadline,
		RetryPeriod:                   &opts.Manager.RetryPeriod,
	})
	if err != nil {
		return nil, err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, err
	}
	return mgr, mgr.AddReadyzCheck("ping", healthz.Ping)
}
