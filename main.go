// Command manager is the controller of the Cluster API Add-on Provider Bundle.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/semaphore"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/flags"
	"sigs.k8s.io/cluster-api/util/predicates"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/controllers/bundle"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/controllers/clusterbundle"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/controllers/clusterbundleset"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/fetch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/trigger"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

const (
	// name of the provider: of its lease, its user agent and its events.
	name = "caapb-controller-manager"

	// applyBudget bounds the bytes of objects that are in memory on their way
	// to workload clusters, over all of them.
	applyBudget = 64 << 20

	// kubernetes is the version that charts are rendered for to report on a
	// Bundle: that of our client library.
	kubernetes = "v1.36"

	// passTimeout bounds one pass over one workload cluster. What it did not get
	// done the next one does.
	passTimeout = 5 * time.Minute
)

// version of the provider, set by the linker.
var version = "v0.0.0-dev"

func main() {
	opts, err := parseOptions(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
	if opts.showVersion {
		fmt.Println(version)
		return
	}
	ctrl.SetLogger(klog.Background())
	if err := run(ctrl.SetupSignalHandler(), opts); err != nil {
		ctrl.Log.Error(err, "the manager ended")
		os.Exit(1)
	}
}

// run wires the parts together and runs until ctx is done.
func run(ctx context.Context, opts *options) error {
	mgr, err := newManager(opts)
	if err != nil {
		return err
	}
	kept, err := store.OpenWith(opts.cacheDir, store.Options{MaxBytes: opts.cacheMaxBytes})
	if err != nil {
		return err
	}
	defer kept.Close() //nolint:errcheck // what it holds is on the disk
	opts.sources.UserAgent = name + "/" + version
	opened, err := fetch.New(opts.sources)
	if err != nil {
		return err
	}
	registries, err := newRegistries(opts, opened)
	if err != nil {
		return err
	}
	archives := archive.DefaultLimits()
	archives.Bytes, archives.Ratio = opts.sources.MaxBytes, opts.sources.MaxRatio
	books := library.NewLibrary(ctx, library.Config{
		Store: kept,
		Sources: source.New(source.Config{
			Sources: opened, Registries: registries, Objects: mgr.GetAPIReader(), Kubernetes: kubernetes, Store: kept,
			RequireSignatures: opts.requireSigned,
		}),
		Interval: opts.resolveInterval,
		MaxBytes: opts.sources.MaxBytes,
		Limits:   opts.limits,
		Archives: archives,
		Clock:    clock.RealClock{},
	})
	if err := addControllers(ctx, mgr, opts, books); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// newRegistries returns the client of OCI registries, whose connections go where
// those of other sources may go.
func newRegistries(opts *options, sources *fetch.Sources) (*oci.Client, error) {
	cfg := oci.Config{
		UserAgent:       opts.sources.UserAgent,
		Dial:            sources.DialContext,
		ConnectTimeout:  opts.sources.ConnectTimeout,
		StallTimeout:    opts.sources.StallTimeout,
		DownloadTimeout: opts.sources.DownloadTimeout,
		MaxRedirects:    opts.sources.MaxRedirects,
	}
	if opts.mirrorsFile != "" {
		mirrors, err := oci.OpenMirrorFile(opts.mirrorsFile)
		if err != nil {
			return nil, err
		}
		cfg.Mirrors = mirrors.Mirrors
	}
	return oci.New(cfg)
}

// newManager returns a manager that caches what the controllers read.
func newManager(opts *options) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, clusterv1.AddToScheme, v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	cfg, err := ctrl.GetConfig()
	if err != nil {
		return nil, err
	}
	cfg.QPS, cfg.Burst = opts.kubeAPIQPS, opts.kubeAPIBurst
	_, metrics, err := flags.GetManagerOptions(opts.diagnostics)
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         cacheOptions(opts),
		Metrics:                       *metrics,
		HealthProbeBindAddress:        opts.healthAddress,
		LeaderElection:                opts.leaderElection,
		LeaderElectionID:              name,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &opts.leaseDuration,
		RenewDeadline:                 &opts.renewDeadline,
		RetryPeriod:                   &opts.retryPeriod,
	})
	if err != nil {
		return nil, err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, err
	}
	return mgr, mgr.AddReadyzCheck("ping", healthz.Ping)
}

// cacheOptions has the manager cache, of all Secrets, those that Cluster API
// labels with the name of their Cluster, and of those only the kubeconfigs whole.
func cacheOptions(opts *options) cache.Options {
	ofCluster, err := labels.NewRequirement(clusterv1.ClusterNameLabel, selection.Exists, nil)
	if err != nil {
		panic(err) // the label is a constant
	}
	options := cache.Options{
		SyncPeriod:       &opts.syncPeriod,
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}: {
				Label:     labels.NewSelector().Add(*ofCluster),
				Transform: capi.KeepKubeconfigs,
			},
		},
	}
	if opts.namespace != "" {
		options.DefaultNamespaces = map[string]cache.Config{opts.namespace: {}}
	}
	return options
}

// addControllers adds the ClusterCache and the controllers to the manager.
func addControllers(ctx context.Context, mgr ctrl.Manager, opts *options, books *library.Library) error {
	watched := predicates.ResourceHasFilterLabel(mgr.GetScheme(), mgr.GetLogger(), opts.watchFilter)
	events := mgr.GetEventRecorder(name)
	var news [3]*trigger.Channel
	for i := range news {
		news[i] = trigger.NewChannel(ctx)
		books.Subscribe(news[i].Wake)
	}
	happened := trigger.NewChannel(ctx)

	sets := &clusterbundleset.Reconciler{Client: mgr.GetClient(), Recorder: events, Library: books, News: news[0]}
	clusters, err := capi.SetupClusterCache(ctx, mgr, capi.ClusterCacheOptions{
		Name:        name,
		WatchFilter: opts.watchFilter,
		Selects:     func(cluster *clusterv1.Cluster) bool { return sets.Selects(ctx, cluster) },
		Changes:     sets.Clusters(mgr.GetCache()),
		Concurrency: opts.clusterCache,
	})
	if err != nil {
		return err
	}
	connections := workload.NewConnections(clusters)
	sets.Versions = connections

	bundles := &bundle.Reconciler{
		Client: mgr.GetClient(), Recorder: events, Library: books, Interval: opts.resolveInterval, News: news[1],
	}
	objects, err := metadataCache(mgr, opts)
	if err != nil {
		return err
	}
	if err := bundles.SetupWithManager(ctx, mgr, objects, watched, concurrency(opts.bundles)); err != nil {
		return err
	}
	if err := sets.SetupWithManager(ctx, mgr, clusters, watched, concurrency(opts.sets)); err != nil {
		return err
	}
	passes := &clusterbundle.Reconciler{
		Client: mgr.GetClient(), Recorder: events, Library: books, Connections: connections,
		Watches:     workload.NewWatches(ctx, happened.Wake),
		Budget:      semaphore.NewWeighted(max(applyBudget, 2*opts.limits.Object)),
		Clock:       clock.RealClock{},
		BundleNews:  news[2],
		ClusterNews: happened,
	}
	return passes.SetupWithManager(ctx, mgr, clusters, watched, concurrency(opts.clusterBundles))
}

// metadataCache returns a cache of the metadata of ConfigMaps and Secrets, which
// the manager runs. Its own cache holds the Secrets of Clusters only.
func metadataCache(mgr ctrl.Manager, opts *options) (cache.Cache, error) {
	options := cacheOptions(opts)
	options.HTTPClient, options.Scheme, options.Mapper = mgr.GetHTTPClient(), mgr.GetScheme(), mgr.GetRESTMapper()
	options.ByObject, options.DefaultTransform = nil, capi.KeepNames
	objects, err := cache.New(mgr.GetConfig(), options)
	if err != nil {
		return nil, err
	}
	return objects, mgr.Add(objects)
}

func concurrency(n int) controller.Options {
	return controller.Options{MaxConcurrentReconciles: n, ReconciliationTimeout: passTimeout}
}
