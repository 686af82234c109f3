package main

import (
	"context"
	"fmt"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// stored is what a way keeps in the etcd of its management cluster, in bytes of values: for
// each Cluster, and for all that have the release.
type stored struct{ cluster, all int64 }

// keeper is a session of a way with a management cluster. Events are not among its prefixes:
// they go after an hour.
type keeper interface {
	keeps() (m *testenv.Management, cluster, all []string)
}

// storedBy returns what the session keeps, nothing if it has no management cluster.
func storedBy(ctx context.Context, session Session) (s stored, err error) {
	k, ok := session.(keeper)
	if !ok {
		return s, nil
	}
	management, cluster, all := k.keeps()
	if s.cluster, err = storedBelow(ctx, management, cluster); err != nil {
		return s, err
	}
	s.all, err = storedBelow(ctx, management, all)
	return s, err
}

func storedBelow(ctx context.Context, m *testenv.Management, prefixes []string) (bytes int64, err error) {
	for _, prefix := range prefixes {
		of, err := m.Stored(ctx, prefix)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", prefix, err)
		}
		if of.Objects == 0 {
			return 0, fmt.Errorf("etcd holds nothing below %s", prefix)
		}
		bytes += of.Bytes
	}
	return bytes, nil
}

// registry is where an API server keeps the objects of the add-ons' group in a namespace.
func registry(plural, namespace string) string {
	return "/registry/addons.cluster.x-k8s.io/" + plural + "/" + namespace + "/"
}

// keeps has the ClusterBundle of its Cluster: those of earlier ones are gone.
func (s *providerSession) keeps() (m *testenv.Management, cluster, all []string) {
	return s.management, []string{registry("clusterbundles", managementNamespace)}, []string{
		registry("bundles", managementNamespace) + s.set.Spec.Bundle.Name,
		registry("clusterbundlesets", managementNamespace) + s.set.Name,
	}
}

// keeps has what is in its namespace.
func (s *crsSession) keeps() (m *testenv.Management, cluster, all []string) {
	namespace := s.cluster.Namespace
	return s.management, []string{registry("clusterresourcesetbindings", namespace)}, []string{
		"/registry/configmaps/" + namespace + "/" + bundleName, registry("clusterresourcesets", namespace),
	}
}

// storedTable has what was kept behind an installation. The Bundle of this provider has all
// releases of the run.
func (b *bench) storedTable(of chosen) *table {
	t := &table{head: []string{"in the etcd of the management cluster", "bytes for each Cluster", "bytes for all with the release"}}
	for _, w := range b.ways {
		for _, s := range b.samples.of(w.Name(), of.release.Name(), Install, counted) {
			if s.stored != (stored{}) {
				t.add(w.Name(), countText(s.stored.cluster), countText(s.stored.all))
			}
		}
	}
	return t
}
