package test

import (
	"fmt"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// moveCases are the lines of the table.
var moveCases = []struct {
	name string
	// isLong means that only make test-move runs it.
	isLong bool
	run    func(*moving)
}{
	{"idle", false, (*moving).idle},
	{"in the middle of the CRD phase", false, (*moving).inTheCRDPhase},
	{"in the middle of an upgrade", false, (*moving).inAnUpgrade},
	{"paused", false, (*moving).paused},
	{"a complete ApplyOnce without its ConfigMap", true, (*moving).appliedOnce},
	{"there and back, twice", true, (*moving).thereAndBack},
	{"to a directory, and from it", true, (*moving).byDirectory},
	{"a dry run", true, (*moving).dryRun},
	{"a Secret of two Bundles, and one with an owner of the user's", true, (*moving).namedByUsers},
	{"what was rendered for the Cluster", true, (*moving).rendered},
	{"in the middle of an uninstall", true, (*moving).inAnUninstall},
	{"with a Bundle of another namespace", true, (*moving).withABundleOfOthers},
}

func (m *moving) idle() {
	m.deliver(m.release("1.0.0", "one"))
	m.isDelivered("1.0.0")
	m.settles(m.seen)
	m.move()
	m.isQuiet("1.0.0")
	m.goesOn("2.0.0", "two")
}

// manyCRDs are more than a pass applies at once.
const manyCRDs = 15

// holdCRDs keeps the applies of CRDs from the API server, all but four.
func (m *moving) holdCRDs() {
	m.hold(4, func(r testenv.Request) bool { return r.Verb == "patch" && r.Resource == "customresourcedefinitions" })
}

func (m *moving) inTheCRDPhase() {
	m.crds = manyCRDs
	m.holdCRDs()
	m.deliver(m.release("1.0.0", "one"))
	m.Eventually(m.held.count).Should(BeNumerically(">", 0))
	m.Eventually(func() int { return len(m.identities()) }).Should(Equal(m.held.pass))
	m.move()
	m.isDelivered("1.0.0")
	applied := tookEffect(m.seen)
	m.Expect(applied).To(HaveLen(m.crds + 4))
	for object, times := range applied {
		m.Expect(times).To(Equal(1), "%s: by the source or by the target", object)
	}
	m.goesOn("2.0.0", "two")
}

func (m *moving) inAnUpgrade() {
	m.crds = manyCRDs
	m.deliver(m.release("1.0.0", "one"))
	m.isDelivered("1.0.0")
	m.settles(m.seen)
	m.holdCRDs()
	m.upgrade(m.release("2.0.0", "two"))
	m.Eventually(m.held.count).Should(BeNumerically(">", 0))
	m.move()
	m.upgrade(m.release("3.0.0", "three")) // while the target is at what the source had begun
	m.isDelivered("3.0.0")
	for n := range m.crds {
		name := fmt.Sprintf("part%ds.%s", n, groupOf(m.namespace))
		live, err := m.live(m.workload, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", name)
		m.Expect(err).NotTo(HaveOccurred())
		m.Expect(live.GetAnnotations()).To(HaveKeyWithValue("content", "three"))
	}
	m.goesOn("4.0.0", "four")
}

func (m *moving) paused() {
	m.deliver(m.release("1.0.0", "one"))
	m.isDelivered("1.0.0")
	m.settles(m.seen)
	cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: m.namespace, Name: movedCluster}}
	m.change(cluster, func() { cluster.Spec.Paused = new(true) })
	m.noteWritten()
	before := m.managed()
	_, err := m.world.clusterctl.Run(m.t.Context(), m.moveArgs()...)
	m.Expect(err).To(MatchError(ContainSubstring("are paused")))
	m.Expect(m.managed()).To(Equal(before))
	m.Expect(m.other.managed()).To(BeEmpty())
	m.isUnwritten()
	m.change(cluster, func() { cluster.Spec.Paused = nil })

	set := &v1alpha1.ClusterBundleSet{ObjectMeta: metav1.ObjectMeta{Namespace: m.namespace, Name: movedSet}}
	m.change(set, func() { set.Annotations = map[string]string{clusterv1.PausedAnnotation: ""} })
	m.upgrade(m.release("2.0.0", "two"))
	m.move()
	m.Eventually(m.state(m.named(movedBundle), v1alpha1.PausedCondition)).Should(HavePrefix("True"))
	m.settles(m.seen)
	m.isUnwritten() // it is still paused
	m.change(set, func() { set.Annotations = nil })
	m.isDelivered("2.0.0")
	m.goesOn("3.0.0", "three")
}

func (m *moving) appliedOnce() {
	m.deliver(m.release("1.0.0", "one"), func(spec *v1alpha1.ClusterBundleSetSpec) { spec.Strategy = v1alpha1.ApplyOnceStrategy })
	m.isDelivered("1.0.0")
	m.settles(m.seen)
	m.Expect(m.management.Client.Delete(m.t.Context(), m.content("1.0.0"))).To(Succeed())
	m.move()
	m.isQuiet("1.0.0")
	m.intrude(m.workload, member{"v1", "ConfigMap", "default", m.namespace + "-a"}, `{"data":{"value":"theirs"}}`)
	m.upgrade(m.release("2.0.0", "two"))
	m.settles(m.seen)
	m.Expect(m.ready(movedBundle)()).To(Equal(isReady))
	m.Expect(m.stateOf(m.workload, movedSet)()).To(HaveKeyWithValue("a", "theirs"))
}

func (m *moving) thereAndBack() {
	m.deliver(m.release("1.0.0", "one"))
	m.isDelivered("1.0.0")
	m.settles(m.seen)
	for range 4 {
		m.move()
		m.isQuiet("1.0.0")
	}
	m.goesOn("2.0.0", "two")
}

// byDirectory moves as after the loss of a management cluster: of the first nothing is
// left to go on.
func (m *moving) byDirectory() {
	m.deliver(m.release("1.0.0", "one"))
	m.isDelivered("1.0.0")
	m.settles(m.seen)
	before, live, dir := m.managed(), m.identities(), m.t.TempDir()
	m.noteWritten()
	m.clusterctl("move", "--kubeconfig="+m.management.KubeconfigPath(), "--namespace="+m.namespace, "--to-directory="+dir)
	m.Expect(m.managed()).To(Equal(before), "it is a backup")
	m.isUnwritten()
	cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: m.namespace, Name: movedCluster}}
	m.change(cluster, func() { cluster.Spec.Paused = new(true) })
	m.clusterctl("move", "--to-kubeconfig="+m.other.management.KubeconfigPath(), "--from-directory="+dir)
	m.scenario, m.other = m.other, m.scenario
	m.arrived(before, live)
	m.isQuiet("1.0.0")
	m.goesOn("2.0.0", "two")
}

func (m *moving) dryRun() {
	m.deliver(m.release("1.0.0", "one"))
	m.isDelivered("1.0.0")
	m.settles(m.seen)
	before := m.managed()
	m.noteWritten()
	m.clusterctl(append(m.moveArgs(), "--dry-run")...)
	m.Expect(m.managed()).To(Equal(before))
	m.Expect(m.other.managed()).To(BeEmpty())
	m.isQuiet("1.0.0")
	m.goesOn("2.0.0", "two")
}

func (m *moving) namedByUsers() {
	named := func(name string, owners ...metav1.OwnerReference) *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: m.namespace, Name: name, OwnerReferences: owners},
			Type:       "addons.cluster.x-k8s.io/resource-set",
			StringData: map[string]string{"all.yaml": configMap("default", m.namespace+"-"+name, name)},
		}
	}
	owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: m.namespace, Name: "owner",
		Labels: map[string]string{"clusterctl.cluster.x-k8s.io/move": ""}}}
	m.create(owner)
	shared, owned := named("shared"), named("owned", metav1.OwnerReference{
		APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID})
	m.create(shared)
	m.create(owned)
	r := m.release("1.0.0", "one")
	for _, s := range []*corev1.Secret{shared, owned} {
		r.Phases[1].Sources = append(r.Phases[1].Sources, v1alpha1.Source{Secret: &v1alpha1.SecretSource{Name: s.Name}})
	}
	m.scenario.bundle("other", release("1.0.0", phase("all", v1alpha1.Source{Secret: &v1alpha1.SecretSource{Name: shared.Name}})))
	m.deliver(r)
	m.isMovable(shared)
	m.isMovable(owned)
	m.isDelivered("1.0.0")
	m.settles(m.seen)
	m.move()
	m.Expect(m.managed()).To(HaveKeyWithValue("Secret/owned", []string{"ConfigMap/owner"}))
	m.Expect(m.managed()).To(HaveKeyWithValue("Secret/shared", []string{}))
	m.isQuiet("1.0.0")
	m.Expect(m.management.Client.Delete(m.t.Context(), m.bundle)).To(Succeed())
	m.Eventually(func() (map[string]string, error) {
		err := m.management.Client.Get(m.t.Context(), client.ObjectKeyFromObject(owned), owned)
		return owned.Labels, err
	}).Should(BeEmpty(), "it is the user's alone again, and stays")
}

func (m *moving) rendered() {
	r := m.release("1.0.0", "one")
	r.Phases = append(r.Phases, phase("chart", m.randomChart()))
	m.deliver(r)
	m.isDelivered("1.0.0")
	m.settles(m.seen)
	words := func() any {
		live, err := m.live(m.workload, "v1", "Secret", "default", m.namespace)
		m.Expect(err).NotTo(HaveOccurred())
		return live.Object["data"]
	}
	before := words()
	m.Expect(m.renderings()).To(HaveLen(1))
	m.move()
	m.isQuiet("1.0.0")
	m.Expect(m.renderings()).To(HaveLen(1))
	m.Expect(words()).To(Equal(before))
}

// inAnUninstall has the target remove the rest: clusterctl creates what was being deleted
// as if it were not.
func (m *moving) inAnUninstall() {
	m.deliver(m.release("1.0.0", "one"))
	m.isDelivered("1.0.0")
	m.settles(m.seen)
	m.hold(1, func(r testenv.Request) bool { return r.Verb == "delete" })
	cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: m.namespace, Name: movedCluster}}
	m.change(cluster, func() { cluster.Labels = nil })
	m.Eventually(m.held.count).Should(BeNumerically(">", 0))
	m.settles(m.seen)
	applied := len(appliesOf(m.seen))
	m.move()
	m.Eventually(m.stateOf(m.workload, movedSet)).Should(BeEmpty())
	m.Eventually(func() error { _, err := m.clusterBundle(movedBundle); return err }).Should(MatchError(ContainSubstring("not found")))
	m.Expect(appliesOf(m.seen)).To(HaveLen(applied), "nothing is applied again")
}

// withABundleOfOthers moves a namespace whose Bundle stays in that of the platform team,
// which brings it to the target later.
func (m *moving) withABundleOfOthers() {
	platform := m.namespace + "-platform"
	bring := func(management client.Client) {
		bundle := &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Namespace: platform, Name: movedSet}}
		bundle.Spec.AllowedNamespaces = &metav1.LabelSelector{
			MatchLabels: map[string]string{corev1.LabelMetadataName: m.namespace},
		}
		bundle.Spec.Releases = []v1alpha1.Release{release("1.0.0", phase("all", inline(configMap("default", m.namespace+"-a", "one"))))}
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: platform}}
		m.Expect(management.Create(m.t.Context(), namespace)).To(Succeed())
		m.Expect(management.Create(m.t.Context(), bundle)).To(Succeed())
	}
	bring(m.management.Client)
	m.set(movedSet, uninstalls, func(spec *v1alpha1.ClusterBundleSetSpec) { spec.Bundle.Namespace = platform })
	m.cluster(movedCluster, movedSet, m.seen)
	m.Eventually(m.ready(movedBundle)).Should(Equal(isReady))
	m.settles(m.seen)
	m.move()
	m.Eventually(m.ready(movedBundle)).Should(HavePrefix("False BundleNotFound: Bundle " + platform + "/" + movedSet))
	m.settles(m.seen)
	m.isUnwritten()
	bring(m.management.Client)
	m.Eventually(m.ready(movedBundle)).Should(Equal(isReady))
	m.settles(m.seen)
	m.isUnwritten()
}
