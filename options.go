package main

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/component-base/logs"
	logsv1 "k8s.io/component-base/logs/api/v1"
	_ "k8s.io/component-base/logs/json/register" // the JSON form of --logging-format
	"sigs.k8s.io/cluster-api/util/flags"
	"sigs.k8s.io/controller-runtime/pkg/client/config"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/fetch"
)

// options are the flags.
type options struct {
	diagnostics flags.ManagerOptions
	logs        *logs.Options

	showVersion    bool
	namespace      string
	watchFilter    string
	healthAddress  string
	leaderElection bool
	leaseDuration  time.Duration
	renewDeadline  time.Duration
	retryPeriod    time.Duration
	syncPeriod     time.Duration
	kubeAPIQPS     float32
	kubeAPIBurst   int

	// How many objects of a kind are reconciled at once.
	bundles, sets, clusterBundles, clusterCache int

	cacheDir        string
	cacheMaxBytes   int64
	resolveInterval time.Duration
	mirrorsFile     string
	requireSigned   bool
	denyCIDRs       []string
	sources         fetch.Config
	limits          manifest.Limits
}

// parseOptions reads and checks the flags.
func parseOptions(args []string) (*options, error) {
	o := &options{logs: logs.NewOptions(), limits: manifest.DefaultLimits()}
	fs := pflag.NewFlagSet("manager", pflag.ContinueOnError)
	fs.AddGoFlag(flag.CommandLine.Lookup(config.KubeconfigFlagName))
	flags.AddManagerOptions(fs, &o.diagnostics)
	logsv1.AddFlags(o.logs, fs)
	o.addManagerFlags(fs)
	o.addSourceFlags(fs)
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			os.Exit(0)
		}
		return nil, err
	}
	o.sources.DenyCIDRs = make([]netip.Prefix, 0, len(o.denyCIDRs))
	for _, text := range o.denyCIDRs {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("--source-deny-cidrs: %w", err)
		}
		o.sources.DenyCIDRs = append(o.sources.DenyCIDRs, prefix)
	}
	return o, logsv1.ValidateAndApply(o.logs, nil)
}

// addManagerFlags adds the flags that Cluster API's providers have in common.
func (o *options) addManagerFlags(fs *pflag.FlagSet) {
	fs.BoolVar(&o.showVersion, "version", false, "Print the version and exit.")
	fs.StringVar(&o.namespace, "namespace", "",
		"Namespace that is watched. Empty stands for all namespaces.")
	fs.StringVar(&o.watchFilter, "watch-filter", "",
		"Value of the label cluster.x-k8s.io/watch-filter of the objects that are looked after. Empty stands for all.")
	fs.StringVar(&o.healthAddress, "health-addr", ":9440", "Address of /healthz and /readyz.")
	fs.BoolVar(&o.leaderElection, "leader-elect", false,
		"Let only one of several managers work. Needed when more than one runs.")
	fs.DurationVar(&o.leaseDuration, "leader-elect-lease-duration", 15*time.Second,
		"How long the others wait before they take over from a leader that fell silent.")
	fs.DurationVar(&o.renewDeadline, "leader-elect-renew-deadline", 10*time.Second,
		"How long the leader tries to renew its lease before it gives up.")
	fs.DurationVar(&o.retryPeriod, "leader-elect-retry-period", 2*time.Second,
		"Time between the attempts of leader election.")
	fs.DurationVar(&o.syncPeriod, "sync-period", 10*time.Minute,
		"Time after which every object is looked at again though nothing changed.")
	fs.Float32Var(&o.kubeAPIQPS, "kube-api-qps", 100, "Requests per second to the management cluster.")
	fs.IntVar(&o.kubeAPIBurst, "kube-api-burst", 200, "Requests at once to the management cluster.")
	fs.IntVar(&o.bundles, "bundle-concurrency", 10, "How many Bundles are reconciled at once.")
	fs.IntVar(&o.sets, "clusterbundleset-concurrency", 10, "How many placements of ClusterBundleSets are reconciled at once.")
	fs.IntVar(&o.clusterBundles, "clusterbundle-concurrency", 20, "How many workload clusters are worked on at once.")
	fs.IntVar(&o.clusterCache, "clustercache-concurrency", 100, "How many workload clusters are connected or checked at once.")
}

// addSourceFlags adds the flags that say where bundles come from and what they may be.
func (o *options) addSourceFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.cacheDir, "cache-dir", "/var/cache/caapb", "Directory that keeps what was fetched.")
	fs.Int64Var(&o.cacheMaxBytes, "cache-max-bytes", 0,
		"Bytes of the cache directory. What was used least recently goes first. 0: no limit.")
	fs.StringVar(&o.sources.BundleDir, "bundle-dir", "",
		"Directory below which sources of the kind file are. Empty: there are none.")
	defaults := make([]string, 0)
	for _, prefix := range fetch.DefaultDenyCIDRs() {
		defaults = append(defaults, prefix.String())
	}
	fs.StringSliceVar(&o.denyCIDRs, "source-deny-cidrs", defaults,
		"Addresses that nothing is fetched from. Empty: nothing is denied.")
	fs.Int64Var(&o.sources.MaxBytes, "max-bundle-bytes", 512<<20, "Bytes of all sources of a release together, unpacked.")
	fs.Int64Var(&o.sources.MaxRatio, "max-compression-ratio", 200, "How many times larger than its compressed form a source may be.")
	fs.Int64Var(&o.limits.Object, "max-object-bytes", o.limits.Object, "Bytes of one object as JSON. The API server's own limit is 3 MiB.")
	fs.IntVar(&o.limits.Objects, "max-objects", o.limits.Objects, "Objects of one release.")
	fs.IntVar(&o.limits.Nesting, "max-nesting", o.limits.Nesting, "Depth of one object.")
	fs.IntVar(&o.sources.MaxRedirects, "max-redirects", 5, "Redirects of one download.")
	fs.StringVar(&o.mirrorsFile, "registry-mirrors", "",
		"File with mirrors of registries, read again when it changes. Empty: there are none.")
	fs.BoolVar(&o.requireSigned, "require-signatures", false,
		"Refuse every source that is not an artifact of a registry whose signature is verified.")
	fs.DurationVar(&o.resolveInterval, "resolve-interval", 10*time.Minute,
		"Time after which a source that can change, such as a tag, is resolved again.")
	fs.DurationVar(&o.sources.DownloadTimeout, "download-timeout", 10*time.Minute, "Time for one download.")
	fs.DurationVar(&o.sources.ConnectTimeout, "connect-timeout", 10*time.Second, "Time to connect to the server of a source.")
	fs.DurationVar(&o.sources.StallTimeout, "stall-timeout", 30*time.Second, "Time without a byte after which a download is cut.")
}
