package app

import (
	"context"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/child"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/fetch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/rendered"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// kubernetes is the version that charts are rendered for to report on a Bundle:
// that of our client library.
const kubernetes = "v1.36"

// newLibrary opens the cache directory and returns the library above it, whose
// fetches end when ctx is done, with what closes the directory. objects reads
// the management cluster without a cache, and secrets creates Secrets there.
func newLibrary(
	ctx context.Context, objects client.Reader, secrets client.Writer, opts Options,
) (opened *library.Library, closeStore func(), err error) {
	children, err := child.New(child.DefaultConfig())
	if err != nil {
		return nil, nil, err
	}
	cached, err := store.Open(opts.Cache.Dir, store.Options{
		MaxBytes: opts.Cache.MaxBytes, NamespacePercent: opts.Cache.NamespacePercent,
	})
	if err != nil {
		return nil, nil, err
	}
	resolver, err := newResolver(opts, source.Config{
		Objects: objects, Renderings: rendered.Secrets{Reader: objects, Creator: secrets},
		Kubernetes: kubernetes, Store: cached, Children: children, Charts: chartLimits(opts.Limits),
	})
	if err != nil {
		_ = cached.Close()
		return nil, nil, err
	}
	archives := archive.DefaultLimits()
	archives.Bytes, archives.Ratio = opts.Limits.Bytes, opts.Limits.Ratio
	opened, err = library.New(ctx, library.Config{
		Store:    cached,
		Sources:  resolver,
		Interval: opts.Sources.ResolveInterval,
		MaxBytes: opts.Limits.Bytes,
		Limits:   opts.Limits.Manifest,
		Archives: archives,
		Children: children,
		Clock:    clock.RealClock{},
	})
	if err != nil {
		_ = cached.Close()
		return nil, nil, err
	}
	return opened, func() { _ = cached.Close() }, nil // what it holds is on the disk
}

// newResolver returns what resolves sources: cfg with what the flags say about where
// they may come from, and by whom.
func newResolver(opts Options, cfg source.Config) (*source.Resolver, error) {
	var err error
	if cfg.Sources, err = newFetcher(opts); err != nil {
		return nil, err
	}
	if cfg.Registries, err = newRegistries(opts, cfg.Sources); err != nil {
		return nil, err
	}
	if cfg.Signers, err = newSigners(opts); err != nil {
		return nil, err
	}
	return source.New(cfg)
}

// chartLimits returns what bounds charts.
func chartLimits(limits Limits) helm.Limits {
	charts := helm.DefaultLimits()
	charts.Ratio = limits.Ratio
	return charts
}

func userAgent(opts Options) string { return name + "/" + opts.Version }

// newFetcher returns what opens files on web servers and in the image.
func newFetcher(opts Options) (*fetch.Sources, error) {
	cfg := fetch.DefaultConfig()
	cfg.BundleDir, cfg.UserAgent = opts.Sources.BundleDir, userAgent(opts)
	cfg.DenyCIDRs, cfg.AllowCIDRs = opts.Sources.DenyCIDRs, opts.Sources.AllowCIDRs
	cfg.MaxBytes, cfg.MaxRatio = opts.Limits.Bytes, opts.Limits.Ratio
	cfg.MaxRedirects, cfg.DownloadTimeout = opts.Sources.MaxRedirects, opts.Sources.DownloadTimeout
	cfg.ConnectTimeout, cfg.StallTimeout = opts.Sources.ConnectTimeout, opts.Sources.StallTimeout
	cfg.MinThroughput = opts.Sources.MinThroughput
	return fetch.New(cfg)
}

// newSigners returns whom the manager requires to have signed, nil for nobody.
func newSigners(opts Options) (*signature.SignersFile, error) {
	if !opts.Sources.RequireSignatures {
		return nil, nil
	}
	return signature.OpenSignersFile(opts.Sources.SignersFile, clock.RealClock{}.Now)
}

// newRegistries returns the client of OCI registries, whose connections go where
// those of files may go.
func newRegistries(opts Options, files *fetch.Sources) (*oci.Client, error) {
	cfg := oci.DefaultConfig()
	cfg.UserAgent, cfg.Dial, cfg.Proxy = userAgent(opts), files.DialContext, files.Proxy
	cfg.TokenCIDRs = opts.Sources.TokenCIDRs
	cfg.MaxRedirects, cfg.DownloadTimeout = opts.Sources.MaxRedirects, opts.Sources.DownloadTimeout
	cfg.ConnectTimeout, cfg.StallTimeout = opts.Sources.ConnectTimeout, opts.Sources.StallTimeout
	cfg.MinThroughput = opts.Sources.MinThroughput
	if opts.Sources.MirrorsFile != "" {
		mirrors, err := oci.OpenMirrorFile(opts.Sources.MirrorsFile)
		if err != nil {
			return nil, err
		}
		cfg.Mirrors = mirrors.Mirrors
	}
	return oci.New(cfg)
}
