package clusterbundle

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

func TestAMemoryIsOfOneClusterBundleAndConnection(t *testing.T) {
	t.Parallel()
	named := func(name string) *v1alpha1.ClusterBundle {
		return &v1alpha1.ClusterBundle{ObjectMeta: metav1.ObjectMeta{Name: name, UID: "first"}}
	}
	berlin, paris := named("berlin"), named("paris")
	key := types.NamespacedName{Name: "berlin"}
	one, two := &workload.Client{}, &workload.Client{}
	var m memories
	m.drop(key)
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
	m.drop(key)
	if m.of(berlin, one) == last {
		t.Error("want nothing remembered of what was dropped")
	}
	last = m.of(berlin, one)
	m.dropPasses(key)
	if now := m.of(berlin, one); now.passes == last.passes || now.removal != last.removal {
		t.Error("want only the memory of the removal kept")
	}
	berlin.UID = "second"
	if m.of(berlin, one).removal == last.removal {
		t.Error("want nothing remembered of another ClusterBundle of the same name")
	}
}
