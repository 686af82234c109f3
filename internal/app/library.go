package app

import (
	"context"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/app/configuration"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/child"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/fetch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/rendered"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// kubernetes is the version that charts are rendered for to report on a Bundle:
// that of our client library.
const kubernetes = "v1.36"

// newLibrary opens the cache directory and returns what is configured: the library above it,
// whose fetches end when ctx is done, and what that fetches with. It also returns what closes
// the directory. objects reads the management cluster without a cache, and secrets creates
// Secrets there.
func newLibrary(
	ctx context.Context, objects client.Reader, secrets client.Writer, opts Options, settings configuration.Settings,
) (made *configured, closeStore func(), err error) {
	cached, err := store.Open(opts.Cache.Dir, store.Options{
		MaxBytes: opts.Cache.MaxBytes, NamespacePercent: opts.Cache.NamespacePercent,
	})
	if err != nil {
		return nil, nil, err
	}
	closeStore = func() { _ = cached.Close() } // what it holds is on the disk
	made = &configured{objects: opts.Objects}
	err = made.connect(opts, settings, source.Config{
		Objects: objects, Renderings: rendered.Secrets{Reader: objects, Creator: secrets},
		Kubernetes: kubernetes, Store: cached, Settings: sourceSettings(settings),
	})
	if err == nil {
		made.library, err = library.New(ctx, library.Config{
			Store: cached, Sources: made.resolver, Interval: opts.Sources.ResolveInterval,
			Settings: librarySettings(settings, opts.Objects), Children: made.children, Clock: clock.RealClock{},
		})
	}
	if err != nil {
		closeStore()
		return nil, nil, err
	}
	return made, closeStore, nil
}

// connect makes what resolves sources: of cfg, and what the flags and the configuration
// say about where they may come from, and by whom.
func (c *configured) connect(opts Options, settings configuration.Settings, cfg source.Config) error {
	children := child.DefaultConfig()
	children.AtOnce = settings.Rendering
	var err error
	if c.children, err = child.New(children); err != nil {
		return err
	}
	if c.files, err = newFetcher(opts, settings); err != nil {
		return err
	}
	if c.registries, err = newRegistries(opts, settings, c.files); err != nil {
		return err
	}
	cfg.Sources, cfg.Registries, cfg.Children = c.files, c.registries, c.children
	c.resolver, err = source.New(cfg)
	return err
}

func userAgent(opts Options) string { return name + "/" + opts.Version }

// newFetcher returns what opens files on web servers and in the image.
func newFetcher(opts Options, settings configuration.Settings) (*fetch.Sources, error) {
	cfg := fetch.DefaultConfig()
	cfg.BundleDir, cfg.UserAgent, cfg.Settings = opts.Sources.BundleDir, userAgent(opts), fileSettings(settings)
	cfg.MaxRedirects, cfg.DownloadTimeout = opts.Sources.MaxRedirects, opts.Sources.DownloadTimeout
	cfg.ConnectTimeout, cfg.StallTimeout = opts.Sources.ConnectTimeout, opts.Sources.StallTimeout
	cfg.MinThroughput = opts.Sources.MinThroughput
	return fetch.New(cfg)
}

// newRegistries returns the client of OCI registries, whose connections go where
// those of files may go.
func newRegistries(opts Options, settings configuration.Settings, files *fetch.Sources) (*oci.Client, error) {
	cfg := oci.DefaultConfig()
	cfg.UserAgent, cfg.Dial, cfg.Proxy = userAgent(opts), files.DialContext, files.Proxy
	cfg.Settings = registrySettings(settings)
	cfg.MaxRedirects, cfg.DownloadTimeout = opts.Sources.MaxRedirects, opts.Sources.DownloadTimeout
	cfg.ConnectTimeout, cfg.StallTimeout = opts.Sources.ConnectTimeout, opts.Sources.StallTimeout
	cfg.MinThroughput = opts.Sources.MinThroughput
	return oci.New(cfg)
}
