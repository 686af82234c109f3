package test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// duplicates is what a POST takes and a server-side apply does not, and a namespace
// that nobody looks at.
const duplicates = `apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: default}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      containers:
      - name: main
        image: registry.example.com/dup:1
        env: [{name: CONTEXT_PATH, value: /}, {name: CONTEXT_PATH, value: /override}]
        ports: [{name: http, containerPort: 8080}, {name: probe, containerPort: 8080}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NAME, namespace: nowhere}
`

// slips are a boolean annotation, a number in env and a field at the wrong depth.
const slips = `apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: default}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}, annotations: {scrape: true}}
    spec:
      nodeAffinity: {}
      containers: [{name: main, image: registry.example.com/slips:1, env: [{name: PORT, value: 8080}]}]
`

func TestOfDuplicatesTheLastOneIsDeliveredWithAWarning(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWhole(t)
	source := s.web.publish("dup.yaml", strings.ReplaceAll(duplicates, "NAME", s.namespace))
	bundle := s.bundle("dup", release("1.0.0", phase("all", source)))
	strict := &v1alpha1.Bundle{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "strict"},
		Spec: v1alpha1.BundleSpec{
			Releases: []v1alpha1.Release{release("1.0.0", phase("all", source))}, Validation: v1alpha1.StrictValidation,
		},
	}
	s.create(strict)
	s.set("dup")
	s.cluster("lille", "dup", workload)
	s.Eventually(s.ready("dup-lille")).Should(Equal(isReady))

	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(Equal(isReady))
	const found = `dup.yaml, document 1 (line 1): Deployment default/`
	s.Expect(bundle.Status.Releases[0].Warnings).To(HaveExactElements(
		And(HavePrefix(found), ContainSubstring(`.env[name="CONTEXT_PATH"]: 2 times in the list`)),
		And(HavePrefix(found), ContainSubstring(`.ports[containerPort=8080,protocol="TCP"]: 2 times in the list`)),
		HaveSuffix("metadata.namespace: a ClusterRole has no namespace: it is ignored"),
	))
	live, err := s.live(workload, "apps/v1", "Deployment", "default", s.namespace)
	s.Expect(err).NotTo(HaveOccurred())
	written, err := live.MarshalJSON()
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(string(written)).To(And(
		ContainSubstring(`"env":[{"name":"CONTEXT_PATH","value":"/override"}]`),
		ContainSubstring(`"ports":[{"containerPort":8080,"name":"probe","protocol":"TCP"}]`)))
	_, err = s.live(workload, "rbac.authorization.k8s.io/v1", "ClusterRole", "", s.namespace)
	s.Expect(err).NotTo(HaveOccurred())

	s.Eventually(s.state(strict, v1alpha1.ReadyCondition)).Should(And(
		HavePrefix("False ManifestInvalid: "), ContainSubstring("by the Bundle's validation Strict: "+found)))
	s.change(bundle, func() { bundle.Spec.Validation = v1alpha1.StrictValidation })
	s.Eventually(s.state(bundle, v1alpha1.StalledCondition)).Should(HavePrefix("True ManifestInvalid: "))
	s.Expect(s.ready("dup-lille")()).To(Equal(isReady), "what a Cluster has stays")
}

func TestAnObjectThatDoesNotFitItsSchemaIsStalledWhenTheTimeOfItsPhaseIsUp(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	broken := release("1.0.0", phase("all", s.web.publish("slips.yaml", strings.ReplaceAll(slips, "NAME", s.namespace))))
	broken.Phases[0].Timeout = seconds(3)
	bundle := s.bundle("slips", broken)
	set := s.set("slips")
	s.cluster("gent", "slips", testenv.SharedWorkload(t))

	s.Eventually(s.state(s.named("slips-gent"), v1alpha1.StalledCondition)).Should(HavePrefix("True PhaseTimeout: "))
	// Which of the slips the answer names differs from time to time.
	s.Expect(s.ready("slips-gent")()).To(And(HavePrefix("False PhaseTimeout: "),
		ContainSubstring("HTTP 500: failed to create typed patch object")))
	s.Eventually(func() *int32 {
		s.Expect(s.management.Client.Get(t.Context(), client.ObjectKeyFromObject(set), set)).To(Succeed())
		return set.Status.Failed
	}).Should(HaveValue(BeEquivalentTo(1)))
	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(Equal(isReady))
	s.Expect(bundle.Status.Releases[0].Warnings).To(HaveExactElements(
		ContainSubstring(`annotations["scrape"]: a boolean and not text`),
		ContainSubstring(`env[name="PORT"].value: a number and not text`),
		ContainSubstring("spec.nodeAffinity: PodSpec of Kubernetes v1.36 has no such field"),
	))
}
