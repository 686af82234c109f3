package test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestAPhaseWaitsForAPIServicesAndForConditionsWhereItIsToldTo(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.NewWorkload(t, testenv.WorkloadOptions{})
	const group = "gears.example.com"
	definition := strings.Replace(crd(group, "gadgets", "Gadget"), "storage: true\n", "storage: true\n    subresources: {status: {}}\n", 1)
	const apiServices = `apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.local.example.com}
spec: {group: local.example.com, version: v1, groupPriorityMinimum: 100, versionPriority: 10}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.remote.example.com}
spec:
  {group: remote.example.com, version: v1, groupPriorityMinimum: 100, versionPriority: 10, insecureSkipTLSVerify: true,
   service: {name: nobody, namespace: default}}
`
	gadget := member{group + "/v1", "Gadget", "", "a"}
	conditions := phase("gadgets", inline("apiVersion: "+group+"/v1\nkind: Gadget\nmetadata: {name: a}\n"))
	conditions.WaitForConditions = new(true)
	s.bundle("gear", release("1.0.0", phase("kinds", inline(definition)), conditions, phase("apis", inline(apiServices))))
	s.set("gear")
	s.cluster("rome", "gear", workload)
	s.Eventually(s.ready("gear-rome")).Should(Equal(
		"False WorkloadsNotReady: phase gadgets: Gadget a has neither the condition Ready nor Available"))
	status := client.RawPatch(types.MergePatchType, []byte(`{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`))
	s.Expect(workload.Client.Status().Patch(t.Context(), gadget.object(), status)).To(Succeed())
	s.Eventually(s.ready("gear-rome")).Should(HavePrefix(
		"False WorkloadsNotReady: phase apis: APIService v1.remote.example.com is not Available: "))
	cb, err := s.clusterBundle("gear-rome")
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(phasesOf(cb)).To(Equal([]string{"kinds Ready 1/1", "gadgets Ready 1/1", "apis Waiting 1/2"}),
		"the API service without a Service of its own is available")
}
