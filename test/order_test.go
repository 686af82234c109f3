package test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// TestWhatAWorkloadMayWaitForIsApplied has files in which a workload needs what
// stands behind it: no controller runs, so that no workload is ever ready by itself.
func TestWhatAWorkloadMayWaitForIsApplied(t *testing.T) {
	t.Parallel()
	const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: default}
spec:
  selector: {matchLabels: {app: gear}}
  template:
    metadata: {labels: {app: gear}}
    spec:
      containers: [{name: manager, image: registry.example.com/gear, volumeMounts: [{name: cert, mountPath: /certs}]}]
      volumes: [{name: cert, secret: {secretName: %[1]s}}]
`
	const certificate = "apiVersion: %[2]s/v1\nkind: Widget\nmetadata: {name: %[1]s}\n"
	const job = `apiVersion: batch/v1
kind: Job
metadata: {name: %[1]s, namespace: default}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: patch, image: registry.example.com/certgen}]}}}
`
	const webhook = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: %[1]s}
webhooks: []
`
	tests := map[string]struct {
		given string
		want  [2]string // API version and kind of what stands behind the workload
		waits string
	}{
		"a certificate behind the Deployment that mounts it": {
			deployment + "---\n" + certificate, [2]string{"%[2]s/v1", "Widget"}, "Deployment default/",
		},
		"a webhook configuration behind the Job that patches it": {
			job + "---\n" + webhook, [2]string{"admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"}, "Job default/",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t)
			workload := testenv.SharedWorkload(t)
			group := s.namespace + ".example.com"
			s.bundle("gear", release("1.0.0",
				phase("kinds", inline(crd(group, "widgets", "Widget"))),
				phase("gear", inline(fmt.Sprintf(test.given+"# %[1]s %[2]s\n", s.namespace, group)))))
			s.set("gear")
			s.cluster("rome", "gear", workload)
			apiVersion := fmt.Sprintf(test.want[0]+"%.0[1]s%.0[2]s", s.namespace, group)
			s.Eventually(func() types.UID { return s.uid(workload, apiVersion, test.want[1], "", s.namespace) }).ShouldNot(BeEmpty())
			s.Eventually(s.ready("gear-rome")).Should(HavePrefix("False WorkloadsNotReady: phase gear: "+test.waits),
				"the end of the phase waits for the workload")
		})
	}
}

func TestObjectsWithoutANamespaceGoToThatOfTheirChartOrPhase(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.NewWorkload(t, testenv.WorkloadOptions{})
	archive := s.web.publish("agent-1.2.3.tgz", s.helmChart(map[string]string{
		"agent/templates/plain.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\n",
	}))
	chart := s.helmSource(archive.HTTPS.URL, func(src *v1alpha1.HelmSource) {
		src.Digest, src.Namespace = archive.HTTPS.Digest, "chart"
	})
	plain := inline("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\n")
	apps := phase("apps", chart, plain)
	apps.DefaultNamespace = "apps"
	s.bundle("all", release("1.0.0",
		phase("namespaces", inline(documents(namespaceNamed("chart"), namespaceNamed("apps")))),
		apps, phase("rest", plain)))
	s.set("all")
	s.cluster("rome", "all", workload)
	s.Eventually(s.ready("all-rome")).Should(Equal(isReady))
	for _, namespace := range []string{"chart", "apps", "default"} {
		s.Expect(s.uid(workload, "v1", "ConfigMap", namespace, "plain")).NotTo(BeEmpty(), namespace)
	}
}
