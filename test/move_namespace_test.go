package test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// moving is a Cluster of a namespace that is moved to and fro. The scenario is that of
// the management cluster that has it.
type moving struct {
	*scenario

	world    *moveWorld
	other    *scenario
	workload *testenv.Workload
	seen     *testenv.Proxy
	bundle   *v1alpha1.Bundle
	// held are requests that are under way when a move begins; nil for none.
	held *held
	// crds is how many CustomResourceDefinitions a release has beside that of Widgets.
	crds int
	// written is how many writes had taken effect before a move.
	written int
	// What was found of all moves.
	moves, moved, writes int
}

// begin makes a namespace in the first management cluster.
func (w *moveWorld) begin(t *testing.T) *moving {
	t.Helper()
	here := scenarioWith(t, w.sides[0].management, w.sides[0].manager)
	other := *here
	other.management, other.manager = w.sides[1].management, w.sides[1].manager
	m := &moving{scenario: here, other: &other, world: w, workload: testenv.SharedWorkload(t)}
	m.seen = testenv.NewProxy(t, m.workload.APIServer)
	return m
}

// The names of a case, in its namespace.
const (
	movedSet     = "addon"
	movedCluster = "oslo"
	movedBundle  = movedSet + "-" + movedCluster
)

// release is a release of ConfigMaps with one value behind definitions, and an instance
// of one. A ConfigMap of the management cluster has what is behind the definitions.
func (m *moving) release(version, value string) v1alpha1.Release {
	m.t.Helper()
	id := m.namespace
	crds := []string{crd(groupOf(id), "widgets", "Widget")}
	for n := range m.crds {
		kind := fmt.Sprintf("Part%d", n)
		crds = append(crds, strings.Replace(crd(groupOf(id), strings.ToLower(kind)+"s", kind),
			"metadata: {", "metadata: {annotations: {content: "+value+"}, ", 1))
	}
	content := m.content(version)
	content.Data = map[string]string{"all.yaml": documents(widget(id, "a", value),
		configMap("default", id+"-a", value), configMap("default", id+"-b", value))}
	m.create(content)
	return release(version, phase("crds", inline(documents(crds...))),
		phase("rest", v1alpha1.Source{ConfigMap: &v1alpha1.ConfigMapSource{Name: content.Name}}))
}

// deliver gives a Cluster the release. What is applied would be removed with its set.
func (m *moving) deliver(r v1alpha1.Release, change ...func(*v1alpha1.ClusterBundleSetSpec)) {
	m.t.Helper()
	m.bundle = m.scenario.bundle(movedSet, r)
	m.set(movedSet, append(change, func(spec *v1alpha1.ClusterBundleSetSpec) {
		spec.DeletionPolicy, spec.CRDs = v1alpha1.DeleteDeletionPolicy, v1alpha1.DeleteCRDPolicy
	})...)
	m.cluster(movedCluster, movedSet, m.seen)
	m.isMovable(m.content(r.Version))
}

// isDelivered waits until the release is Ready.
func (m *moving) isDelivered(version string) {
	m.t.Helper()
	m.Eventually(m.undelivered(version, 1)).Should(BeEmpty())
}

// isMovable waits until an object of the management cluster has the label for clusterctl.
func (m *moving) isMovable(object client.Object) {
	m.t.Helper()
	m.Eventually(func() (map[string]string, error) {
		err := m.management.Client.Get(m.t.Context(), client.ObjectKeyFromObject(object), object)
		return object.GetLabels(), err
	}).Should(HaveKey("clusterctl.cluster.x-k8s.io/move"))
}

// content is the ConfigMap of a release.
func (m *moving) content(version string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: m.namespace, Name: "content-" + version}}
}

// upgrade gives the Bundle another release in place of the one that it has.
func (m *moving) upgrade(r v1alpha1.Release) {
	m.t.Helper()
	left := m.content(m.bundle.Spec.Releases[0].Version)
	m.Expect(client.IgnoreNotFound(m.management.Client.Delete(m.t.Context(), left))).To(Succeed())
	m.change(m.bundle, func() { m.bundle.Spec.Releases = []v1alpha1.Release{r} })
	m.isMovable(m.content(r.Version))
}

// move moves the namespace to the other management cluster and looks at what that did.
func (m *moving) move() {
	m.t.Helper()
	before, live := m.managed(), m.identities()
	m.Expect(before).NotTo(BeEmpty())
	m.noteWritten()
	m.clusterctl(m.moveArgs()...)
	m.Expect(m.managed()).To(BeEmpty(), "nothing stays behind")
	m.scenario, m.other = m.other, m.scenario
	m.arrived(before, live)
}

// moveArgs are the arguments of clusterctl that move the namespace.
func (m *moving) moveArgs() []string {
	return []string{"move", "--kubeconfig=" + m.management.KubeconfigPath(),
		"--to-kubeconfig=" + m.other.management.KubeconfigPath(), "--namespace=" + m.namespace}
}

// arrived looks at what a move did, and has the target go on.
func (m *moving) arrived(before map[string][]string, live map[string]types.UID) {
	m.t.Helper()
	m.Expect(m.managed()).To(Equal(before), "each object is there once, with its owners")
	if m.held != nil {
		close(m.held.released)
		m.Eventually(m.held.count).Should(BeZero(), "requests that the source has open")
	}
	m.moves, m.moved = m.moves+1, m.moved+len(before)
	m.isUnwritten()
	m.Expect(m.identities()).To(Equal(live), "nothing is uninstalled")
	m.seen.SetFault(nil)
	m.held = nil
	cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: m.namespace, Name: movedCluster}}
	m.Expect(m.management.ConnectMoved(m.t.Context(), cluster, m.seen)).To(Succeed())
}

// clusterctl runs the real clusterctl.
func (m *moving) clusterctl(args ...string) {
	m.t.Helper()
	_, err := m.world.clusterctl.Run(m.t.Context(), args...)
	m.Expect(err).NotTo(HaveOccurred())
}

// isQuiet checks that the target, which knows that the release is Ready, wrote nothing.
func (m *moving) isQuiet(version string) {
	m.t.Helper()
	m.isDelivered(version)
	m.settles(m.seen)
	m.isUnwritten()
}

// noteWritten remembers what was written: all that follows is caused by a move.
func (m *moving) noteWritten() { m.written = len(written(m.seen)) }

// isUnwritten checks that nothing took effect in the workload cluster since noteWritten.
func (m *moving) isUnwritten() {
	m.t.Helper()
	caused := len(written(m.seen)) - m.written
	m.writes += caused
	m.noteWritten()
	m.Expect(caused).To(BeZero(), "writes in the workload cluster: %v", writesOf(m.seen))
}

// goesOn checks that drift is repaired, and that a release is delivered.
func (m *moving) goesOn(version, value string) {
	m.t.Helper()
	drifted := member{"v1", "ConfigMap", "default", m.namespace + "-a"}
	m.intrude(m.workload, drifted, `{"data":{"value":"theirs"}}`)
	m.Eventually(func() string { return m.stateOf(m.workload, movedSet)()["a"] }).ShouldNot(Equal("theirs"))
	m.upgrade(m.release(version, value))
	m.isDelivered(version)
	m.Expect(m.stateOf(m.workload, movedSet)()).To(Equal(map[string]string{
		"a": value, "b": value, "crd": "there", "widget": value, "parent": version}))
}

// written returns the writes that took effect.
func written(p *testenv.Proxy) []testenv.Request {
	return slices.DeleteFunc(p.Writes(), func(r testenv.Request) bool { return r.Status/100 != 2 })
}

// managedKinds are the kinds of a namespace that clusterctl moves.
var managedKinds = []schema.GroupVersionKind{
	{Version: "v1", Kind: "Secret"}, {Version: "v1", Kind: "ConfigMap"},
	clusterv1.GroupVersion.WithKind("Cluster"),
	{Group: "infrastructure.cluster.x-k8s.io", Version: "v1beta1", Kind: "GenericInfrastructureCluster"},
	{Group: "controlplane.cluster.x-k8s.io", Version: "v1beta1", Kind: "GenericControlPlane"},
	v1alpha1.GroupVersion.WithKind("Bundle"), v1alpha1.GroupVersion.WithKind("ClusterBundleSet"),
	v1alpha1.GroupVersion.WithKind("ClusterBundle"),
}

// managed returns the objects of the namespace in a management cluster, each with its
// owners, of which there has to be one with that UID.
func (s *scenario) managed() map[string][]string {
	s.t.Helper()
	names, owners := map[types.UID]string{"": "nobody"}, make(map[string][]metav1.OwnerReference)
	for _, kind := range managedKinds {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		s.Expect(s.management.Client.List(s.t.Context(), list, client.InNamespace(s.namespace))).To(Succeed())
		for _, object := range list.Items {
			names[object.UID] = kind.Kind + "/" + object.Name
			owners[names[object.UID]] = object.OwnerReferences
		}
	}
	found := make(map[string][]string)
	for object, references := range owners {
		found[object] = []string{}
		for _, r := range references {
			found[object] = append(found[object], cmp.Or(names[r.UID], "unknown "+r.Kind+"/"+r.Name))
		}
		slices.Sort(found[object])
	}
	return found
}

// identities returns the UIDs of the members in the workload cluster.
func (m *moving) identities() map[string]types.UID {
	m.t.Helper()
	found := make(map[string]types.UID)
	for _, kind := range []schema.GroupVersionKind{
		{Version: "v1", Kind: "ConfigMap"}, {Version: "v1", Kind: "Secret"}, {Group: groupOf(m.namespace), Version: "v1", Kind: "Widget"},
		{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
	} {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		err := m.workload.Client.List(m.t.Context(), list,
			client.MatchingLabels{inventory.PartOfLabel: inventory.ParentOf(m.namespace, movedSet).ID()})
		if meta.IsNoMatchError(err) {
			continue
		}
		m.Expect(err).NotTo(HaveOccurred())
		for _, o := range list.Items {
			found[kind.Kind+"/"+o.Name] = o.UID
		}
	}
	return found
}
