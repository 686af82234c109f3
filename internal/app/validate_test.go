package app

import (
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

func TestOptionsThatALibraryWouldReplaceAreRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*Options){
		"no Bundle at once":              func(o *Options) { o.Concurrency.Bundles = 0 },
		"no placement at once":           func(o *Options) { o.Concurrency.Placements = 0 },
		"no set at once":                 func(o *Options) { o.Concurrency.Sets = 0 },
		"no Cluster at once":             func(o *Options) { o.Concurrency.Clusters = 0 },
		"no ClusterBundle at once":       func(o *Options) { o.Concurrency.ClusterBundles = -1 },
		"no connection at once":          func(o *Options) { o.Concurrency.Connections = 0 },
		"no requests per second":         func(o *Options) { o.Manager.KubeAPIQPS = 0 },
		"no requests at once":            func(o *Options) { o.Manager.KubeAPIBurst = 0 },
		"a sync period that is negative": func(o *Options) { o.Manager.SyncPeriod = -time.Second },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := DefaultOptions()
			change(&opts)
			if err := Run(t.Context(), &rest.Config{}, opts); err == nil || !strings.HasPrefix(err.Error(), "options: ") {
				t.Errorf("want an error about the options, got %v", err)
			}
		})
	}
}

func TestDefaultOptionsAreValid(t *testing.T) {
	t.Parallel()
	opts := DefaultOptions()
	if err := opts.validate(); err != nil {
		t.Error(err)
	}
	opts.Manager.SyncPeriod = 0 // for never
	if err := opts.validate(); err != nil {
		t.Error(err)
	}
}
