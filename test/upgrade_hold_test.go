package test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/kubeconfig"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// anUpgradeWaits has Cluster API upgrade a Cluster when a release admits that: its
// controller of topologies asks for the annotation.
func anUpgradeWaits(t *testing.T, s *scenario) {
	t.Helper()
	s.templates("genericinfrastructureclusters.infrastructure.cluster.x-k8s.io", "genericcontrolplanes.controlplane.cluster.x-k8s.io")
	workload := testenv.SharedWorkload(t)
	now, next := s.versions(workload)

	cni := s.gated("1.0.0")
	cni.Kubernetes = "<" + next[1:] + "-0"
	bundle := s.bundle("cni", cni)
	s.set("cni", func(spec *v1alpha1.ClusterBundleSetSpec) { spec.KubernetesUpgrades = v1alpha1.HoldKubernetesUpgrades })
	cluster := s.topologyCluster("graz", "cni", now)
	s.provisionTopology(cluster, workload, now)
	s.openGate(workload, "1.0.0")
	s.Eventually(s.ready("cni-graz")).Should(Equal(isReady))
	s.Eventually(s.isHeld(cluster)).Should(BeTrue(), "before anybody asks for an upgrade")

	s.change(cluster, func() { cluster.Spec.Topology.Version = next })
	s.Eventually(s.state(cluster, clusterv1.ClusterTopologyReconciledCondition)).Should(ContainSubstring(v1alpha1.UpgradeHookAnnotation))
	s.Eventually(s.state(cluster, v1alpha1.AddonBundlesReadyCondition)).Should(And(
		HavePrefix("True Ready: the upgrade to Kubernetes "+next+" is held back by cni: "), ContainSubstring("no release admits both")))
	s.change(bundle, func() { bundle.Spec.Releases = append(bundle.Spec.Releases, s.gated("2.0.0")) })
	s.Eventually(s.ready("cni-graz")).Should(HavePrefix("False ReadyWhenNotMet"))
	s.Expect(s.controlPlaneVersion(cluster)()).To(Equal(now), "the release that admits it is not Ready")

	s.openGate(workload, "2.0.0")
	s.Eventually(s.controlPlaneVersion(cluster)).Should(Equal(next))
	s.Eventually(s.isHeld(cluster)).Should(BeTrue(), "the next upgrade is held back again")
	s.setVersion(cluster, next)
	s.Eventually(s.state(cluster, clusterv1.ClusterTopologyReconciledCondition)).Should(HavePrefix("True"))
	s.Expect(s.isHeld(cluster)()).To(BeTrue())
}

// templates makes for each CRD of a provider that of its templates, and a ClusterClass of
// one of each.
func (s *scenario) templates(crds ...string) {
	s.t.Helper()
	for _, name := range crds {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		s.Expect(s.management.Client.Get(s.t.Context(), client.ObjectKey{Name: name}, crd)).To(Succeed())
		singular := crd.Spec.Names.Singular + "template"
		crd.ObjectMeta = metav1.ObjectMeta{Name: singular + "s." + crd.Spec.Group, Labels: crd.Labels}
		crd.Spec.Names = apiextensionsv1.CustomResourceDefinitionNames{
			Kind: crd.Spec.Names.Kind + "Template", ListKind: crd.Spec.Names.Kind + "TemplateList", Plural: singular + "s", Singular: singular,
		}
		s.create(crd)
	}
	for _, manifest := range []string{
		`{apiVersion: infrastructure.cluster.x-k8s.io/v1beta1, kind: GenericInfrastructureClusterTemplate, spec: {template: {spec: {}}}}`,
		`{apiVersion: controlplane.cluster.x-k8s.io/v1beta1, kind: GenericControlPlaneTemplate, spec: {template: {spec: {}}}}`,
		`{apiVersion: cluster.x-k8s.io/v1beta2, kind: ClusterClass, spec: {
		infrastructure: {templateRef: {apiVersion: infrastructure.cluster.x-k8s.io/v1beta1, kind: GenericInfrastructureClusterTemplate, name: class}},
		controlPlane: {templateRef: {apiVersion: controlplane.cluster.x-k8s.io/v1beta1, kind: GenericControlPlaneTemplate, name: class}}}}`,
	} {
		u := &unstructured.Unstructured{}
		s.decode(manifest, &u.Object)
		u.SetNamespace(s.namespace)
		u.SetName("class")
		s.Eventually(func() error { return s.management.Client.Create(s.t.Context(), u) }).Should(Succeed())
	}
}

// versions returns the version of a workload cluster, and the next minor version.
func (s *scenario) versions(w *testenv.Workload) (now, next string) {
	s.t.Helper()
	answer, err := discovery.NewDiscoveryClientForConfigOrDie(w.Config).ServerVersion()
	s.Expect(err).NotTo(HaveOccurred())
	var major, minor, patch int
	_, err = fmt.Sscanf(answer.GitVersion, "v%d.%d.%d", &major, &minor, &patch)
	s.Expect(err).NotTo(HaveOccurred())
	return fmt.Sprintf("v%d.%d.%d", major, minor, patch), fmt.Sprintf("v%d.%d.0", major, minor+1)
}

// topologyCluster makes a Cluster of the ClusterClass, and waits until Cluster API has made its parts.
func (s *scenario) topologyCluster(name, set, version string) *clusterv1.Cluster {
	s.t.Helper()
	cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name, Labels: optIn(set)}}
	cluster.Spec.Topology = clusterv1.Topology{ClassRef: clusterv1.ClusterClassRef{Name: "class"}, Version: version}
	s.create(cluster)
	s.Eventually(func(g Gomega) {
		g.Expect(s.management.Client.Get(s.t.Context(), client.ObjectKeyFromObject(cluster), cluster)).To(Succeed())
		g.Expect(cluster.Spec.ControlPlaneRef.IsDefined()).To(BeTrue())
		g.Expect(cluster.Spec.InfrastructureRef.IsDefined()).To(BeTrue())
	}).Should(Succeed())
	return cluster
}

// part reads a part of a Cluster of the topology.
func (s *scenario) part(cluster *clusterv1.Cluster, ref clusterv1.ContractVersionedObjectReference) *unstructured.Unstructured {
	s.t.Helper()
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(ref.APIGroup + "/v1beta1")
	u.SetKind(ref.Kind)
	s.Expect(s.management.Client.Get(s.t.Context(), client.ObjectKey{Namespace: cluster.Namespace, Name: ref.Name}, u)).To(Succeed())
	return u
}

// provisionTopology does what the providers do.
func (s *scenario) provisionTopology(cluster *clusterv1.Cluster, w *testenv.Workload, version string) {
	s.t.Helper()
	s.create(kubeconfig.GenerateSecret(cluster, w.Kubeconfig()))
	infrastructure := s.part(cluster, cluster.Spec.InfrastructureRef)
	before := infrastructure.DeepCopy()
	infrastructure.Object["status"] = map[string]any{"initialization": map[string]any{"provisioned": true}}
	s.Expect(s.management.Client.Status().Patch(s.t.Context(), infrastructure, client.MergeFrom(before))).To(Succeed())
	s.setVersion(cluster, version)
}

// setVersion has the control plane of a Cluster report a version.
func (s *scenario) setVersion(cluster *clusterv1.Cluster, version string) {
	s.t.Helper()
	controlPlane := s.part(cluster, cluster.Spec.ControlPlaneRef)
	before := controlPlane.DeepCopy()
	controlPlane.Object["status"] = map[string]any{
		"version": version, "initialization": map[string]any{"controlPlaneInitialized": true},
	}
	s.Expect(s.management.Client.Status().Patch(s.t.Context(), controlPlane, client.MergeFrom(before))).To(Succeed())
}

// controlPlaneVersion reads the version that the control plane of a Cluster is told to have.
func (s *scenario) controlPlaneVersion(cluster *clusterv1.Cluster) func() string {
	return func() string {
		version, _, _ := unstructured.NestedString(s.part(cluster, cluster.Spec.ControlPlaneRef).Object, "spec", "version")
		return version
	}
}

// isHeld reads whether upgrades of a Cluster are held back.
func (s *scenario) isHeld(cluster *clusterv1.Cluster) func() bool {
	return func() bool {
		s.Expect(s.management.Client.Get(s.t.Context(), client.ObjectKeyFromObject(cluster), cluster)).To(Succeed())
		_, is := cluster.Annotations[v1alpha1.UpgradeHookAnnotation]
		return is
	}
}
