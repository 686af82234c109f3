package clusterbundle

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

func TestAMemoryIsOfOneClusterBundleAndConnection(t *testing.T) {
	t.Parallel()
	berlin, paris := types.NamespacedName{Name: "berlin"}, types.NamespacedName{Name: "paris"}
	one, two := &workload.Client{}, &workload.Client{}
	var m memories
	m.drop(berlin)
	first := m.of(berlin, one)
	if m.of(berlin, one) != first {
		t.Error("want the same memory for the same connection")
	}
	if m.of(paris, one) == first {
		t.Error("want another memory for another ClusterBundle")
	}
	second := m.of(berlin, two)
	if second == first {
		t.Error("want another memory for another connection")
	}
	if m.of(berlin, one) == first {
		t.Error("want nothing remembered of a connection that was replaced")
	}
	last := m.of(berlin, one)
	m.drop(berlin)
	if m.of(berlin, one) == last {
		t.Error("want nothing remembered of what was dropped")
	}
}
