package test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	addonsv1 "sigs.k8s.io/cluster-api/api/addons/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// agent is a Deployment with one Pod, and a Service.
func agent(name, level string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Service
metadata: {name: %[1]s, namespace: default, labels: {level: %[2]s}}
spec:
  selector: {app: %[1]s}
  ports: [{name: metrics, port: 9402}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: default}
spec:
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      containers: [{name: agent, image: "registry.example.com/agent:1", env: [{name: LEVEL, value: %[2]s}]}]
`, name, level)
}

// Cluster API's own controllers apply a ClusterResourceSet, the command takes it over,
// both go on side by side, and it is removed.
func TestAClusterResourceSetIsTakenOverWithoutARestart(t *testing.T) {
	t.Parallel()
	management := testenv.NewManagement(t, testenv.ManagementOptions{Controllers: true})
	NewWithT(t).Expect(management.StartCAPI(t.Context())).To(Succeed())
	manager, err := testenv.StartManager(t.Context(), testenv.ManagerOptions{
		Management: management, CacheDir: t.TempDir(), Race: true,
	})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(manager.Stop)
	o := &takenOver{scenario: scenarioWith(t, management, manager), workload: testenv.SharedWhole(t)}
	o.applyByCAPI()
	before := o.state()
	o.Expect(before.managers).To(ContainElement("manager"), "as with the images of Cluster API")

	o.Expect(o.command()).To(ContainSubstring("nothing would change in its 3 objects"))
	o.Expect(o.ready("agent-trujillo")()).To(ContainSubstring("not found"), "a dry run writes nothing")

	o.Expect(o.command("--apply")).To(ContainSubstring("Bundle " + o.namespace + "/agent was created"))
	o.Eventually(o.ready("agent-trujillo")).Should(Equal(isReady))
	after := o.state()
	o.Expect(after.spec).To(Equal(before.spec), "the Deployment is as it was")
	o.Expect(after.pods).To(Equal(before.pods), "the Pod is the same")
	o.Expect(after.managers).To(ContainElement("caapb." + o.namespace + ".agent"))
	o.Expect(after.managers).NotTo(ContainElement("manager"))

	o.changeSideBySide()
	o.removeClusterResourceSet()
	o.upgrade()
}

// takenOver is a scenario with a ClusterResourceSet that is taken over.
type takenOver struct {
	*scenario

	workload *testenv.Workload
	crs      *addonsv1.ClusterResourceSet
	config   *corev1.ConfigMap
}

// applyByCAPI has Cluster API apply a ConfigMap and a Secret, and waits for the Pod.
func (o *takenOver) applyByCAPI() {
	o.config = &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: "agent"},
		Data:       map[string]string{"agent.yaml": agent(o.namespace, "info")},
	}
	o.create(o.config)
	o.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: "token"},
		Type:       addonsv1.ClusterResourceSetSecretType,
		StringData: map[string]string{"token.yaml": configMap("default", o.namespace, "token")},
	})
	o.crs = &addonsv1.ClusterResourceSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: "agent"},
		Spec: addonsv1.ClusterResourceSetSpec{
			ClusterSelector: metav1.LabelSelector{MatchLabels: optIn("agent")},
			Resources:       []addonsv1.ResourceRef{{Kind: "ConfigMap", Name: "agent"}, {Kind: "Secret", Name: "token"}},
			Strategy:        "Reconcile",
		},
	}
	o.create(o.crs)
	o.cluster("trujillo", "agent", o.workload)
	o.Eventually(func() []string { return o.state().pods }).Should(HaveLen(1))
	o.Eventually(o.applied).Should(And(HaveLen(2), Not(ContainElement(""))))
}

// applied returns the hash of each resource that Cluster API has applied; empty for one
// that it could not apply.
func (o *takenOver) applied() []string {
	binding := &addonsv1.ClusterResourceSetBinding{}
	key := client.ObjectKey{Namespace: o.namespace, Name: "trujillo"}
	if o.management.Client.Get(o.t.Context(), key, binding) != nil {
		return nil
	}
	var all []string
	for _, set := range binding.Spec.Bindings {
		for _, r := range set.Resources {
			hash := ""
			if r.Applied != nil && *r.Applied {
				hash = r.Hash
			}
			all = append(all, hash)
		}
	}
	return all
}

// live is what is in the workload cluster, and empty while something is missing there.
type live struct {
	pods, managers []string
	// spec is that of the Deployment. Its generation also counts changed annotations.
	spec string
	// versions are the resource versions of what was applied.
	versions []string
	level    string
}

func (o *takenOver) state() live {
	var l live
	for _, kind := range [][2]string{{"v1", "Service"}, {"v1", "ConfigMap"}, {"apps/v1", "Deployment"}} {
		object, err := o.live(o.workload, kind[0], kind[1], "default", o.namespace)
		if err != nil {
			return live{}
		}
		l.managers = append(l.managers, o.managersOf(object)...)
		l.spec = fmt.Sprint(object.Object["spec"])
		if kind[1] == "Service" {
			l.level = object.GetLabels()["level"]
		}
		if kind[1] != "Deployment" { // whose status is written, too
			l.versions = append(l.versions, object.GetResourceVersion())
		}
	}
	pods := &corev1.PodList{}
	o.Expect(o.workload.Client.List(o.t.Context(), pods, client.MatchingLabels{"app": o.namespace})).To(Succeed())
	for _, pod := range pods.Items {
		l.pods = append(l.pods, string(pod.UID))
	}
	return l
}

// command takes over and returns the report.
func (o *takenOver) command(args ...string) string {
	args = append([]string{"takeover", "--kubeconfig", o.management.KubeconfigPath(), "-n", o.namespace, "--crs", "agent"}, args...)
	stdout, report, err := o.manager.Run(o.t.Context(), args...)
	o.Expect(err).NotTo(HaveOccurred(), report)
	o.Expect(stdout).To(ContainSubstring("kind: ClusterBundleSet"))
	return report
}

// changeSideBySide changes the source of both, which then agree and write no more. If
// Cluster API is the first, it is left as one that has applied the same.
func (o *takenOver) changeSideBySide() {
	before := o.applied()
	o.change(o.config, func() { o.config.Data["agent.yaml"] = agent(o.namespace, "debug") })
	o.Eventually(func(g Gomega) {
		l := o.state()
		g.Expect(l.level).To(Equal("debug"))
		g.Expect(l.managers).To(ContainElement("caapb." + o.namespace + ".agent"))
		g.Expect(o.command()).To(ContainSubstring("nothing would change"))
		g.Expect(o.ready("agent-trujillo")()).To(Equal(isReady))
		g.Expect(o.applied()).To(And(HaveLen(2), Not(ContainElement("")), Not(Equal(before))), "Cluster API has applied the change, too")
	}).Should(Succeed())
	settled := o.state()
	o.Consistently(func() []string { return o.state().versions }, "2s", "100ms").Should(Equal(settled.versions))
	o.Expect(o.state().spec).To(Equal(settled.spec))
}

// removeClusterResourceSet removes it, and waits for the garbage collector.
func (o *takenOver) removeClusterResourceSet() {
	o.Eventually(func() string { return o.command() }).Should(ContainSubstring("can be removed"))
	o.Expect(o.management.Client.Delete(o.t.Context(), o.crs)).To(Succeed())
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: "token"}}
	for _, source := range []client.Object{o.config, secret} {
		o.Eventually(func(g Gomega) {
			g.Expect(o.management.Client.Get(o.t.Context(), client.ObjectKeyFromObject(source), source)).To(Succeed())
			g.Expect(source.GetOwnerReferences()).To(ConsistOf(HaveField("Kind", "Bundle")))
		}).Should(Succeed())
	}
	o.Expect(o.ready("agent-trujillo")()).To(Equal(isReady))
}

// upgrade brings another release, which goes on from what was taken over.
func (o *takenOver) upgrade() {
	bundle := &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: "agent"}}
	next := release("1.1.0", phase("resources", inline(agent(o.namespace, "warn"))))
	o.change(bundle, func() { bundle.Spec.Releases = append(bundle.Spec.Releases, next) })
	o.Eventually(func(g Gomega) {
		cb, err := o.clusterBundle("agent-trujillo")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(cb.Spec.Version).To(Equal("1.1.0"))
		g.Expect(o.ready("agent-trujillo")()).To(Equal(isReady))
		service, err := o.live(o.workload, "v1", "Service", "default", o.namespace)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(service.GetLabels()).To(HaveKeyWithValue("level", "warn"))
	}).Should(Succeed())
	o.Eventually(func() bool {
		_, err := o.live(o.workload, "v1", "ConfigMap", "default", o.namespace)
		return apierrors.IsNotFound(err)
	}).Should(BeTrue(), "what left the bundle is gone")
}
