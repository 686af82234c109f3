package test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// uid returns the UID of an object of a workload cluster; empty if it does not exist.
func (s *scenario) uid(w *testenv.Workload, apiVersion, kind, namespace, name string) types.UID {
	live, err := s.live(w, apiVersion, kind, namespace, name)
	if err != nil {
		return ""
	}
	return live.GetUID()
}

// upgrades makes the second of two releases the newest of a Bundle.
func (s *scenario) upgrades(bundle *v1alpha1.Bundle, to v1alpha1.Release) {
	s.t.Helper()
	s.change(bundle, func() { bundle.Spec.Releases = append([]v1alpha1.Release{to}, bundle.Spec.Releases...) })
}

func TestTheNextReleaseMakesAJobAnewAndChangesAStrategy(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	job := func(image string) string {
		return "apiVersion: batch/v1\nkind: Job\nmetadata: {name: " + s.namespace + ", namespace: default}\n" +
			"spec: {template: {spec: {restartPolicy: Never, containers: [{name: migrate, image: \"" + image + "\"}]}}}\n"
	}
	deployment := strings.NewReplacer("name: single", "name: "+s.namespace)
	content := func(image, strategy string) v1alpha1.Source {
		return inline(documents(job(image), deployment.Replace(single("Deployment", "default", strategy, image))))
	}
	bundle := s.bundle("app", release("1.0.0", phase("app", content("app:1", ""))))
	s.set("app")
	s.cluster("rome", "app", workload)
	s.Eventually(func() types.UID { return s.uid(workload, "batch/v1", "Job", "default", s.namespace) }).ShouldNot(BeEmpty())
	ran := s.uid(workload, "batch/v1", "Job", "default", s.namespace)
	s.Eventually(func() types.UID { return s.uid(workload, "apps/v1", "Deployment", "default", s.namespace) }).ShouldNot(BeEmpty())
	runs := s.uid(workload, "apps/v1", "Deployment", "default", s.namespace)

	s.upgrades(bundle, release("2.0.0", phase("app", content("app:2", "  strategy: {type: Recreate}\n"))))
	s.Eventually(func() types.UID {
		return s.uid(workload, "batch/v1", "Job", "default", s.namespace)
	}).Should(And(Not(BeEmpty()), Not(Equal(ran))), "the Job is made anew")
	s.Eventually(func() string {
		live, err := s.live(workload, "apps/v1", "Deployment", "default", s.namespace)
		if err != nil {
			return err.Error()
		}
		strategy := live.Object["spec"].(map[string]any)["strategy"].(map[string]any)
		return strategy["type"].(string)
	}).Should(Equal("Recreate"))
	s.Expect(s.uid(workload, "apps/v1", "Deployment", "default", s.namespace)).To(Equal(runs), "the Deployment is the same")
}

func TestAnImmutableFieldIsReportedUntilTheSetAllowsToMakeTheObjectAnew(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	binding := func(role string) v1alpha1.Source {
		return inline("apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: " + s.namespace +
			", namespace: default}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: " + role + "}\n")
	}
	read := func() types.UID {
		return s.uid(workload, "rbac.authorization.k8s.io/v1", "RoleBinding", "default", s.namespace)
	}
	bundle := s.bundle("app", release("1.0.0", phase("rbac", binding("reader"))))
	set := s.set("app")
	s.cluster("rome", "app", workload)
	s.Eventually(s.ready("app-rome")).Should(Equal(isReady))
	before := read()

	s.upgrades(bundle, release("2.0.0", phase("rbac", binding("writer"))))
	s.Eventually(s.ready("app-rome")).Should(And(
		HavePrefix("False Immutable: phase rbac: RoleBinding default/"+s.namespace+": HTTP 422 Invalid: "),
		HaveSuffix("cannot change roleRef; immutableFields: Recreate makes it anew")))
	s.Expect(s.state(s.named("app-rome"), v1alpha1.StalledCondition)()).To(HavePrefix("True Immutable"))
	s.Expect(read()).To(Equal(before))

	s.change(set, func() { set.Spec.ImmutableFields = v1alpha1.RecreateImmutableFields })
	s.Eventually(s.ready("app-rome")).Should(Equal(isReady))
	s.Expect(read()).NotTo(Or(BeEmpty(), Equal(before)))
}

// delivered returns a function that returns the version of a ClusterBundle, and its
// Ready condition if that is about this version.
func (s *scenario) delivered(name string) func() string {
	return func() string {
		cb, err := s.clusterBundle(name)
		if err != nil {
			return err.Error()
		}
		c := meta.FindStatusCondition(cb.Status.Conditions, v1alpha1.ReadyCondition)
		if c == nil || cb.Status.ObservedGeneration != cb.Generation {
			return cb.Spec.Version
		}
		return fmt.Sprintf("%s %s %s: %s", cb.Spec.Version, c.Status, c.Reason, c.Message)
	}
}

func TestAKeyThatLeavesTheStringDataOfASecretIsGone(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	login := func(keys string) v1alpha1.Source {
		return inline("apiVersion: v1\nkind: Secret\nmetadata: {name: " + s.namespace + ", namespace: default}\nstringData: {" + keys + "}\n")
	}
	bundle := s.bundle("app", release("1.0.0", phase("app", login("user: admin, old-token: abc"))))
	s.set("app")
	s.cluster("rome", "app", workload)
	s.Eventually(s.delivered("app-rome")).Should(Equal("1.0.0 " + isReady))
	s.upgrades(bundle, release("2.0.0", phase("app", login("user: admin, token: def"))))
	s.Eventually(s.delivered("app-rome")).Should(Equal("2.0.0 " + isReady))
	live := &corev1.Secret{}
	s.Expect(workload.Client.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: s.namespace}, live)).To(Succeed())
	s.Expect(live.Data).To(Equal(map[string][]byte{"user": []byte("admin"), "token": []byte("def")}))
}

// loggingCRD returns a CustomResourceDefinition of a release of the Logging Operator.
func (s *scenario) loggingCRD(place, digest string) string {
	s.t.Helper()
	file, err := testenv.CatalogueCopy("logging-operator/"+place, digest)
	s.skipWithout(err)
	text, err := os.ReadFile(file)
	s.Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// TestADefinitionThatLeavesTheBundleKeepsItsObjects upgrades the Logging Operator
// from 5.4.0, which has NodeAgents, to 6.7.0, which has not.
func TestADefinitionThatLeavesTheBundleKeepsItsObjects(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given v1alpha1.CRDPolicy
		want  bool // still there
	}{
		"by default":                   {v1alpha1.RetainCRDPolicy, true},
		"unless the set gives them up": {v1alpha1.DeleteCRDPolicy, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t)
			workload := testenv.NewWorkload(t, testenv.WorkloadOptions{})
			agents := s.loggingCRD("5.4.0/crds/logging.banzaicloud.io_nodeagents.yaml",
				"95f03d1e1286294e93066059716cdac9af11a2e27ea55914907baefa534b17e7")
			before := s.loggingCRD("5.4.0/crds/logging.banzaicloud.io_loggings.yaml",
				"a1b459d2d45a354df8b579389624cb0c778994fda95b43aff2f08b33b35d4d19")
			after := s.loggingCRD("6.7.0/crds/logging.banzaicloud.io_loggings.yaml",
				"dda98eb3a66c7967c5921136810c21348619806fe25c58c8ba21920deb8bf649")
			const theirs = "apiVersion: logging.banzaicloud.io/v1beta1\nkind: NodeAgent\nmetadata: {name: theirs}\nspec: {}\n"

			bundle := s.bundle("logging", release("5.4.0", phase("crds",
				s.web.publish("before.yaml", before), s.web.publish("agents.yaml", agents))))
			s.set("logging", func(spec *v1alpha1.ClusterBundleSetSpec) { spec.CRDs = test.given })
			s.cluster("rome", "logging", workload)
			s.Eventually(s.ready("logging-rome")).Should(Equal(isReady))
			logging := s.uid(workload, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "loggings.logging.banzaicloud.io")
			s.createIn(workload, theirs)

			s.upgrades(bundle, release("6.7.0", phase("crds", s.web.publish("after.yaml", after))))
			s.Eventually(s.delivered("logging-rome")).Should(Equal("6.7.0 " + isReady))
			s.Expect(s.uid(workload, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "loggings.logging.banzaicloud.io")).
				To(Equal(logging), "what both have is changed in place")
			isThere := s.uid(workload, "logging.banzaicloud.io/v1beta1", "NodeAgent", "", "theirs") != ""
			s.Expect(isThere).To(Equal(test.want))
		})
	}
}

func TestAChangeOfADefinitionThatLosesObjectsIsRefused(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.NewWorkload(t, testenv.WorkloadOptions{})
	group := s.namespace + ".example.com"
	before := crd(group, "widgets", "Widget")
	after := strings.ReplaceAll(before, "name: v1\n", "name: v2\n")
	bundle := s.bundle("operator", release("1.0.0", phase("crds", inline(before))))
	set := s.set("operator")
	s.cluster("rome", "operator", workload)
	s.Eventually(s.ready("operator-rome")).Should(Equal(isReady))
	const v1 = "apiVersion: %s/v1\nkind: Widget\nmetadata: {name: theirs}\n"
	s.createIn(workload, strings.Replace(v1, "%s", group, 1))

	s.upgrades(bundle, release("2.0.0", phase("crds", inline(documents(configMap("default", s.namespace, "x"), after)))))
	s.Eventually(s.ready("operator-rome")).Should(HavePrefix("False DataLoss: phase crds: CustomResourceDefinition widgets." + group +
		" is not changed since objects would be lost: version v1 leaves, in which objects may be stored: move them first"))
	s.Expect(s.uid(workload, "v1", "ConfigMap", "default", s.namespace)).To(BeEmpty(), "nothing of the phase is applied")
	s.Expect(s.uid(workload, group+"/v1", "Widget", "", "theirs")).NotTo(BeEmpty())

	s.change(set, func() {
		set.Spec.CRDs, set.Spec.ImmutableFields = v1alpha1.DeleteCRDPolicy, v1alpha1.RecreateImmutableFields
	})
	s.Eventually(s.ready("operator-rome")).Should(Equal(isReady))
	s.Expect(s.uid(workload, group+"/v2", "Widget", "", "theirs")).To(BeEmpty(), "as the set allows in words")
}

// createIn makes an object in a workload cluster as somebody else does.
func (s *scenario) createIn(w *testenv.Workload, manifest string) {
	s.t.Helper()
	live := &unstructured.Unstructured{}
	s.decode(manifest, &live.Object)
	s.Eventually(func() error { return w.Client.Create(s.t.Context(), live) }).Should(Succeed())
}
