package main

import (
	"errors"
	"flag"
	"os"

	"github.com/spf13/pflag"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/logs"
	logsv1 "k8s.io/component-base/logs/api/v1"
	_ "k8s.io/component-base/logs/json/register" // the JSON form of --logging-format
	"sigs.k8s.io/cluster-api/util/flags"
	"sigs.k8s.io/controller-runtime/pkg/client/config"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/app"
)

// options are the flags.
type options struct {
	diagnostics flags.ManagerOptions
	logs        *logs.Options

	showVersion bool
	app         app.Options
}

// newOptions returns the defaults. The lease is in the namespace of the Pod, which is
// told the Deployment's way where there is no Pod.
func newOptions() *options {
	o := &options{logs: logs.NewOptions(), app: app.DefaultOptions()}
	o.app.Manager.LeaderElectionNamespace = os.Getenv("POD_NAMESPACE")
	return o
}

// parseOptions reads and checks the flags.
func parseOptions(args []string) (*options, error) {
	o := newOptions()
	if err := o.flags().Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			os.Exit(0)
		}
		return nil, err
	}
	return o, logsv1.ValidateAndApply(o.logs, nil)
}

// flags returns the flags that set the options. An underscore in a name is a dash, as in
// those of Cluster API.
func (o *options) flags() *pflag.FlagSet {
	fs := pflag.NewFlagSet("manager", pflag.ContinueOnError)
	fs.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	fs.AddGoFlag(flag.CommandLine.Lookup(config.KubeconfigFlagName))
	o.addDiagnosticsFlags(fs)
	o.addManagerFlags(fs)
	o.addConcurrencyFlags(fs)
	o.addSourceFlags(fs)
	o.addLimitFlags(fs)
	return fs
}

// addDiagnosticsFlags adds the flags about logs, metrics and profiles, which are Cluster API's.
func (o *options) addDiagnosticsFlags(fs *pflag.FlagSet) {
	flags.AddManagerOptions(fs, &o.diagnostics)
	logsv1.AddFlags(o.logs, fs)
	m := &o.app.Manager
	fs.StringVar(&m.ProfilerAddress, "profiler-address", m.ProfilerAddress,
		"Address of profiles for everybody who reaches it, such as localhost:6060. Empty: they are served at "+
			"--diagnostics-address only, to those who may get /debug/pprof/*.")
	fs.BoolVar(&m.ContentionProfiling, "contention-profiling", m.ContentionProfiling,
		"Profile what goroutines wait for.")
}

// addManagerFlags adds the flags that Cluster API's providers have in common.
func (o *options) addManagerFlags(fs *pflag.FlagSet) {
	m := &o.app.Manager
	fs.BoolVar(&o.showVersion, "version", false, "Print the version and exit.")
	fs.StringVar(&m.Namespace, "namespace", m.Namespace,
		"Namespace that is watched. Empty: all namespaces.")
	fs.StringVar(&m.WatchFilter, "watch-filter", m.WatchFilter,
		"Value of the label cluster.x-k8s.io/watch-filter of the Clusters and other objects that this manager works on. "+
			"Empty: all objects.")
	fs.StringVar(&o.app.ConfigFile, "config", o.app.ConfigFile,
		"File of the kind ManagerConfiguration, with the settings that can change while the manager runs: it is read "+
			"again when it changes. Empty, or while there is no such file: their defaults.")
	o.app.Features.AddFlag(fs)
	fs.StringVar(&m.HealthAddress, "health-addr", m.HealthAddress, "Address of /healthz and /readyz.")
	fs.BoolVar(&m.LeaderElection, "leader-elect", m.LeaderElection,
		"Let only one of several managers work. Needed when more than one runs.")
	fs.DurationVar(&m.LeaseDuration, "leader-elect-lease-duration", m.LeaseDuration,
		"How long the others wait before they take over from a leader that does not answer.")
	fs.DurationVar(&m.RenewDeadline, "leader-elect-renew-deadline", m.RenewDeadline,
		"How long the leader tries to renew its lease before it gives up.")
	fs.DurationVar(&m.RetryPeriod, "leader-elect-retry-period", m.RetryPeriod,
		"Time between the attempts of leader election.")
	fs.DurationVar(&m.SyncPeriod, "sync-period", m.SyncPeriod,
		"Time after which every object is reconciled again though no event came; placements and ClusterBundles "+
			"after 1 to 1.5 times of it. 0: never.")
	fs.Float32Var(&m.KubeAPIQPS, "kube-api-qps", m.KubeAPIQPS, "Requests per second to the management cluster.")
	fs.IntVar(&m.KubeAPIBurst, "kube-api-burst", m.KubeAPIBurst, "Requests at once to the management cluster.")
}

// addConcurrencyFlags adds the flags that bound how much is done at once.
func (o *options) addConcurrencyFlags(fs *pflag.FlagSet) {
	c := &o.app.Concurrency
	fs.IntVar(&c.Bundles, "bundle-concurrency", c.Bundles, "How many Bundles are reconciled at once.")
	fs.IntVar(&c.Placements, "placement-concurrency", c.Placements,
		"How many placements, each one ClusterBundleSet on one Cluster, are reconciled at once.")
	fs.IntVar(&c.Sets, "clusterbundleset-concurrency", c.Sets, "How many ClusterBundleSets are reconciled at once.")
	fs.IntVar(&c.Clusters, "cluster-concurrency", c.Clusters, "For how many Clusters the condition is summed up at once.")
	fs.IntVar(&c.ClusterBundles, "clusterbundle-concurrency", c.ClusterBundles,
		"How many workload clusters are worked on at once.")
	fs.IntVar(&c.Connections, "connection-concurrency", c.Connections,
		"How many workload clusters are connected at once; half as many of one namespace.")
}

// addSourceFlags adds the flags about how sources are read and kept.
func (o *options) addSourceFlags(fs *pflag.FlagSet) {
	s := &o.app.Sources
	fs.StringVar(&o.app.Cache.Dir, "cache-dir", o.app.Cache.Dir, "Directory that keeps what was fetched.")
	fs.Int64Var(&o.app.Cache.MaxBytes, "cache-max-bytes", o.app.Cache.MaxBytes,
		"Bytes of the cache directory, at most four fifths of its volume. What no Bundle names goes first; what "+
			"Bundles name stays. Set it below the sizeLimit of an emptyDir, which the volume does not know of. "+
			"0: four fifths of the volume.")
	fs.IntVar(&o.app.Cache.NamespacePercent, "cache-namespace-max-percent", o.app.Cache.NamespacePercent,
		"Per cent of the cache that the Bundles of one namespace may name. What several namespaces name counts for each.")
	fs.StringVar(&s.BundleDir, "bundle-dir", s.BundleDir,
		"Directory below which sources of the kind file are. Empty: there are none.")
	fs.DurationVar(&s.ResolveInterval, "resolve-interval", s.ResolveInterval,
		"Time after which a source that can change, such as a tag, is resolved again.")
	fs.IntVar(&s.MaxRedirects, "max-redirects", s.MaxRedirects, "Redirects of one download. 0: none are followed.")
	fs.DurationVar(&s.DownloadTimeout, "download-timeout", s.DownloadTimeout, "Time for one download.")
	fs.DurationVar(&s.ConnectTimeout, "connect-timeout", s.ConnectTimeout, "Time to connect to the server of a source.")
	fs.DurationVar(&s.StallTimeout, "stall-timeout", s.StallTimeout,
		"Time without a byte after which a download is ended.")
	fs.Int64Var(&s.MinThroughput, "min-throughput", s.MinThroughput,
		"Bytes per second that a server sends at least while it is waited for, measured over --stall-timeout. 0: any.")
}

// addLimitFlags adds the flags that bound one object.
func (o *options) addLimitFlags(fs *pflag.FlagSet) {
	l := &o.app.Objects
	fs.Int64Var(&l.Bytes, "max-object-bytes", l.Bytes,
		"Bytes of one object as JSON. The API server's own limit is 3 MiB.")
	fs.IntVar(&l.Nesting, "max-nesting", l.Nesting, "Depth of one object.")
	fs.IntVar(&l.Nodes, "max-nodes", l.Nodes,
		"Mappings, sequences, keys and values of one document together.")
}
