package clusterbundle

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

// memories are what passes remember of the workload clusters of ClusterBundles.
// The zero value is empty.
type memories struct {
	mu    sync.Mutex
	byKey map[types.NamespacedName]memory
}

// memory is of one connection: behind another there may be another cluster. It is of
// one ClusterBundle: what the uninstall of one saw gone another may have applied.
type memory struct {
	client  *workload.Client
	uid     types.UID
	passes  *rollout.Memory
	removal *rollout.RemovalMemory
}

// of returns what is remembered of a ClusterBundle through a connection.
func (m *memories) of(cb *v1alpha1.ClusterBundle, client *workload.Client) memory {
	key := types.NamespacedName{Namespace: cb.Namespace, Name: cb.Name}
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.byKey[key]
	if !ok || known.client != client || known.uid != cb.UID {
		known = memory{client: client, uid: cb.UID, passes: &rollout.Memory{}, removal: &rollout.RemovalMemory{}}
	}
	if m.byKey == nil {
		m.byKey = make(map[types.NamespacedName]memory)
	}
	m.byKey[key] = known
	return known
}

// dropPasses forgets what passes remember: there will be none.
func (m *memories) dropPasses(key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known, ok := m.byKey[key]; ok {
		known.passes = &rollout.Memory{}
		m.byKey[key] = known
	}
}

// drop forgets a ClusterBundle.
func (m *memories) drop(key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byKey, key)
}
