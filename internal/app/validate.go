package app

import (
	"errors"
	"fmt"
)

// validate refuses zeros that a library would silently replace by a default of its
// own: one item at once, 5 requests per second, a burst of 10.
func (o Options) validate() error {
	c, m := o.Concurrency, o.Manager
	switch {
	case min(c.Bundles, c.Placements, c.Sets, c.Clusters, c.ClusterBundles, c.Connections) < 1:
		return errors.New("options: every concurrency must be positive")
	case m.KubeAPIQPS <= 0 || m.KubeAPIBurst <= 0:
		return errors.New("options: requests per second to the management cluster, and at once, must be positive")
	case o.Cache.NamespacePercent < 1 || o.Cache.NamespacePercent > 100:
		return fmt.Errorf("options: a namespace cannot have %d %% of the cache", o.Cache.NamespacePercent)
	case m.SyncPeriod < 0:
		return fmt.Errorf("options: the sync period of %s is negative", m.SyncPeriod)
	}
	return nil
}
