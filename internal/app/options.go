package app

import (
	"time"

	"k8s.io/component-base/featuregate"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// Options are the settings of the manager. DefaultOptions returns the defaults: a
// zero is not replaced by one.
type Options struct {
	// Version of the provider, for its user agent.
	Version string
	// ConfigFile has the settings that can change while the manager runs, of the kind
	// ManagerConfiguration; empty for their defaults.
	ConfigFile string

	// Features are what can be turned on and off.
	Features featuregate.MutableFeatureGate

	Manager     ManagerOptions
	Concurrency Concurrency
	Cache       CacheOptions
	Sources     SourceOptions
	Objects     ObjectLimits
}

// ManagerOptions are those that Cluster API's providers have in common.
type ManagerOptions struct {
	// Namespace that is watched; empty for all.
	Namespace string
	// WatchFilter is the value of the label cluster.x-k8s.io/watch-filter of the
	// objects that are reconciled; empty for all.
	WatchFilter string
	// HealthAddress is that of /healthz and /readyz.
	HealthAddress string
	// Metrics is the server of metrics.
	Metrics metricsserver.Options
	// ProfilerAddress is that of profiles without authentication; empty for none.
	ProfilerAddress string
	// ContentionProfiling profiles what goroutines wait for, too.
	ContentionProfiling bool

	// LeaderElection lets only one of several managers work.
	LeaderElection bool
	// LeaderElectionNamespace is that of the lease; empty for the namespace of the Pod.
	LeaderElectionNamespace string

	LeaseDuration time.Duration
	RenewDeadline time.Duration
	RetryPeriod   time.Duration

	// SyncPeriod is the time after which every object is reconciled again though no
	// event came: placements and ClusterBundles after 1 to 1.5 times of it. 0 for never.
	SyncPeriod time.Duration
	// KubeAPIQPS and KubeAPIBurst bound the requests to the management cluster, per
	// second and at once. Both must be positive.
	KubeAPIQPS   float32
	KubeAPIBurst int
}

// Concurrency is how many items of a controller are worked on at once. Each must be
// positive.
type Concurrency struct {
	Bundles, Placements, Sets, Clusters, ClusterBundles, Connections int
}

// CacheOptions are those of the cache directory.
type CacheOptions struct {
	// Dir keeps what was fetched.
	Dir string
	// MaxBytes bounds it, to at most four fifths of the volume; zero for those.
	MaxBytes int64
	// NamespacePercent is how much of it a namespace may hold.
	NamespacePercent int
}

// SourceOptions configure how sources are read.
type SourceOptions struct {
	// BundleDir is the directory below which sources of the kind file are; empty
	// for none.
	BundleDir string
	// ResolveInterval is the time after which a source that can change, such as a
	// tag, is resolved again.
	ResolveInterval time.Duration

	// MaxRedirects bounds the redirects of one download; zero for none.
	MaxRedirects    int
	DownloadTimeout time.Duration
	ConnectTimeout  time.Duration
	StallTimeout    time.Duration
	// MinThroughput is in bytes a second; zero for any.
	MinThroughput int64
}

// ObjectLimits bound one object: memory is set aside for one of the largest.
type ObjectLimits struct {
	// Bytes of the object as JSON.
	Bytes int64
	// Nesting is its depth, and Nodes what is in its document.
	Nesting, Nodes int
}

// DefaultOptions returns the defaults of the flags.
func DefaultOptions() Options {
	object := manifest.DefaultLimits()
	return Options{
		Features: newFeatures(),
		Manager: ManagerOptions{
			HealthAddress: ":9440",
			LeaseDuration: 15 * time.Second,
			RenewDeadline: 10 * time.Second,
			RetryPeriod:   2 * time.Second,
			SyncPeriod:    10 * time.Minute,
			KubeAPIQPS:    100,
			KubeAPIBurst:  200,
		},
		Concurrency: Concurrency{Bundles: 10, Placements: 10, Sets: 10, Clusters: 10, ClusterBundles: 20, Connections: 100},
		Cache:       CacheOptions{Dir: "/var/cache/caapb", MaxBytes: 3 << 30, NamespacePercent: 50},
		Sources: SourceOptions{
			ResolveInterval: 10 * time.Minute,
			MaxRedirects:    5,
			DownloadTimeout: 10 * time.Minute,
			ConnectTimeout:  10 * time.Second,
			StallTimeout:    30 * time.Second,
			MinThroughput:   16 << 10,
		},
		Objects: ObjectLimits{Bytes: object.Object, Nesting: object.Nesting, Nodes: object.Nodes},
	}
}
