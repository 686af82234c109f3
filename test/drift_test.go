package test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// repairTime is how soon what somebody changed is repaired, on a machine that does
// nothing else.
const repairTime = 5 * time.Second

// intruder is the field manager of who changes what a set applied.
const intruder = client.FieldOwner("intruder")

// member names an object of a workload cluster.
type member struct{ apiVersion, kind, namespace, name string }

var (
	calicoCRD        = member{"apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "goldmanes.operator.tigera.io"}
	calicoGoldmane   = member{"operator.tigera.io/v1", "Goldmane", "", "default"}
	calicoNamespace  = member{"v1", "Namespace", "", "tigera-operator"}
	calicoAccount    = member{"v1", "ServiceAccount", "tigera-operator", "tigera-operator"}
	calicoRole       = member{"rbac.authorization.k8s.io/v1", "ClusterRole", "", "tigera-operator"}
	calicoBinding    = member{"rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", "tigera-operator"}
	calicoDeployment = member{"apps/v1", "Deployment", "tigera-operator", "tigera-operator"}
)

func (m member) object() *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(m.apiVersion)
	u.SetKind(m.kind)
	u.SetNamespace(m.namespace)
	u.SetName(m.name)
	return u
}

// delivered returns what of an object is of its bundle: all but the status and what
// the API server adds.
func delivered(u *unstructured.Unstructured) map[string]any {
	rest := u.DeepCopy().Object
	delete(rest, "status")
	rest["metadata"] = map[string]any{"labels": u.GetLabels(), "annotations": ours(u.GetAnnotations())}
	return rest
}

// ours returns the annotations without the ones that controllers add.
func ours(annotations map[string]string) map[string]string {
	delete(annotations, "deployment.kubernetes.io/revision")
	return annotations
}

// intrude changes an object by a merge patch of somebody else.
func (s *scenario) intrude(w *testenv.Workload, m member, patch string) {
	s.t.Helper()
	s.Expect(w.Client.Patch(s.t.Context(), m.object(), client.RawPatch(types.MergePatchType, []byte(patch)), intruder)).
		To(Succeed(), "%s %s", m.kind, m.name)
}

// writesOf returns the verb, the resource and the name of each write that a proxy saw.
func writesOf(seen *testenv.Proxy) []string {
	var writes []string
	for _, r := range seen.Writes() {
		writes = append(writes, r.Verb+" "+path.Join(r.Resource, r.Name))
	}
	return writes
}

// takenOf returns those of the writes that the API server took, and how many it refused.
func takenOf(seen *testenv.Proxy) (taken []string, refused int) {
	for _, r := range seen.Writes() {
		if r.Status/100 == 2 {
			taken = append(taken, r.Verb+" "+path.Join(r.Resource, r.Name))
		} else {
			refused++
		}
	}
	return taken, refused
}

// told returns a function that reads the notes of the events about a ClusterBundle
// with a reason.
func (s *scenario) told(clusterBundle, reason string) func() (string, error) {
	return func() (string, error) {
		list := &eventsv1.EventList{}
		err := s.management.Client.List(s.t.Context(), list, client.InNamespace(s.namespace))
		var notes []string
		for _, e := range list.Items {
			if e.Regarding.Name == clusterBundle && e.Reason == reason {
				notes = append(notes, e.Note)
			}
		}
		return strings.Join(notes, "\n"), err
	}
}

func TestWhatSomebodyChangesOfCalicoIsRepairedAlone(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.NewWorkload(t, testenv.WorkloadOptions{Nodes: 1})
	s.create(s.catalogue("calico"))
	s.set("calico")
	seen := s.calicoOn("turin", workload)
	s.settles(seen)

	tests := []struct {
		name   string
		change func(m member)
		of     member
		writes []string
		// refused is how many writes more may be refused.
		refused int
	}{
		{name: "a Deployment is deleted", change: s.deletes(workload), of: calicoDeployment,
			writes: []string{"patch deployments/tigera-operator"}},
		{name: "a rule is removed", change: s.patches(workload, `{"rules":[]}`), of: calicoRole,
			writes: []string{"patch clusterroles/tigera-operator"}},
		{name: "the label is removed", change: s.patches(workload, `{"metadata":{"labels":{"applyset.kubernetes.io/part-of":null}}}`),
			of: calicoAccount, writes: []string{"patch serviceaccounts/tigera-operator"}},
		{name: "the annotation is removed", change: s.patches(workload, `{"metadata":{"annotations":{"addons.cluster.x-k8s.io/sha256":null}}}`),
			of: calicoBinding, writes: []string{"patch clusterrolebindings/tigera-operator"}},
		{name: "a label of the bundle has another value", change: s.patches(workload, `{"metadata":{"labels":{"name":"other"}}}`),
			of: calicoNamespace, writes: []string{"patch namespaces/tigera-operator"}},
		// The watch of the instances may be faster than that of the definitions: a pass that
		// sees one gone does not know yet that its definition goes.
		{name: "a definition is deleted with its instances", change: s.deletes(workload), of: calicoCRD,
			writes: []string{"patch customresourcedefinitions/goldmanes.operator.tigera.io", "patch goldmanes/default"}, refused: 1},
	}
	for _, test := range tests {
		read := func(m member) map[string]any {
			live, err := s.live(workload, m.apiVersion, m.kind, m.namespace, m.name)
			if err != nil || live.GetDeletionTimestamp() != nil {
				return nil
			}
			return delivered(live)
		}
		before, instance := read(test.of), read(calicoGoldmane)
		s.Expect(before).NotTo(BeNil())
		seen.Reset()
		begun := time.Now()
		test.change(test.of)
		taken := func() []string { those, _ := takenOf(seen); return those }
		s.Eventually(taken).Should(HaveLen(len(test.writes)), test.name)
		s.Eventually(func() map[string]any { return read(test.of) }).Should(Equal(before), test.name)
		s.Eventually(func() map[string]any { return read(calicoGoldmane) }).Should(Equal(instance), test.name)
		took := time.Since(begun)
		t.Logf("%s: repaired within %.2f s", test.name, took.Seconds())
		if os.Getenv(idleVariable) != "" {
			s.Expect(took).To(BeNumerically("<", repairTime), test.name)
		}
		s.Eventually(s.ready("calico-turin")).Should(Equal(isReady))
		s.Eventually(s.told("calico-turin", "Repaired")).Should(ContainSubstring(test.of.kind+" "+path.Join(test.of.namespace, test.of.name)), test.name)
		s.settles(seen)
		those, refused := takenOf(seen)
		s.Expect(those).To(Equal(test.writes), test.name)
		s.Expect(refused).To(BeNumerically("<=", test.refused), test.name)
	}
}

// deletes returns a change of an object: somebody deletes it, and it is gone or
// another one.
func (s *scenario) deletes(w *testenv.Workload) func(member) {
	return func(m member) {
		s.t.Helper()
		object := m.object()
		s.Expect(w.Client.Get(s.t.Context(), client.ObjectKeyFromObject(object), object)).To(Succeed())
		uid := object.GetUID()
		s.Expect(w.Client.Delete(s.t.Context(), object, client.Preconditions{UID: &uid})).To(Succeed())
		s.Eventually(func() types.UID {
			now, _ := s.live(w, m.apiVersion, m.kind, m.namespace, m.name)
			return now.GetUID()
		}).ShouldNot(Equal(uid))
	}
}

// patches returns a change of an object: somebody patches it.
func (s *scenario) patches(w *testenv.Workload, patch string) func(member) {
	return func(m member) { s.t.Helper(); s.intrude(w, m, patch) }
}

// webhooks are a definition with a conversion webhook and a validating webhook, both
// of another's service and without a CA.
func webhooks(group, id string) string {
	const service = "{namespace: default, name: nobody, path: /}"
	return documents(strings.Replace(crd(group, "widgets", "Widget"), "spec:\n", "spec:\n  conversion: {strategy: Webhook, webhook: "+
		"{conversionReviewVersions: [v1], clientConfig: {service: "+service+"}}}\n", 1),
		fmt.Sprintf(`apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: %s}
webhooks:
- name: nothing.example.com
  clientConfig: {service: %s}
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Ignore
  rules: [{apiGroups: [nothing.example.com], apiVersions: [v1], operations: [CREATE], resources: [nothings]}]
`, id, service))
}

func TestWhatOthersAddStaysAndCostsNothing(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	seen := testenv.NewProxy(t, workload.APIServer)
	group := groupOf(s.namespace)
	widgets := member{"apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "widgets." + group}
	gadget := member{group + "/v1", "Gadget", "", "a"}
	webhook := member{"admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "", s.namespace}
	settings := member{"v1", "ConfigMap", "default", s.namespace}
	withStatus := strings.Replace(crd(group, "gadgets", "Gadget"), "storage: true\n", "storage: true\n    subresources: {status: {}}\n", 1)
	s.bundle("open", release("1.0.0",
		phase("operator", inline(documents(webhooks(group, s.namespace), withStatus, good(s)))),
		phase("rest", inline("apiVersion: "+group+"/v1\nkind: Gadget\nmetadata: {name: a}\nspec: {size: 1}\n"))))
	s.set("open")
	s.cluster("pisa", "open", seen)
	s.Eventually(s.ready("open-pisa")).Should(Equal(isReady))
	s.settles(seen)

	// One change of each object, so that no pass sees the half of them.
	add := func(value string, ca []byte) {
		s.intrude(workload, settings, fmt.Sprintf(
			`{"metadata":{"labels":{"foreign":%[1]q},"annotations":{"foreign":%[1]q}},"data":{"foreign":%[1]q}}`, value))
		s.intrude(workload, gadget, fmt.Sprintf(`{"spec":{"foreign":%q}}`, value))
		for at, m := range map[string]member{"/spec/conversion/webhook": widgets, "/webhooks/0": webhook} {
			patch := fmt.Appendf(nil, `[{"op":"add","path":"%s/clientConfig/caBundle","value":%q}]`, at, base64.StdEncoding.EncodeToString(ca))
			s.Expect(workload.Client.Patch(t.Context(), m.object(), client.RawPatch(types.JSONPatchType, patch), intruder)).To(Succeed())
		}
	}
	seen.Reset()
	ca := workload.Config.CAData
	add("first", ca)
	s.settles(seen)
	// What was not watched before may have been changed by anyone.
	first := beside(seen)
	t.Logf("at the first change of each object:\n%s", counted(first))
	s.Expect(len(first)).To(BeNumerically("<=", 4), "one look at each kind")
	s.Expect(seen.Writes()).To(BeEmpty())

	seen.Reset()
	add("second", append(slices.Clone(ca), ca...))
	status := client.RawPatch(types.MergePatchType, []byte(`{"status":{"seen":"second"}}`))
	s.Expect(workload.Client.Status().Patch(t.Context(), gadget.object(), status, intruder)).To(Succeed())
	s.Consistently(func() []testenv.Request { return beside(seen) }, 2*quiet, time.Second).Should(BeEmpty(), "no pass")
	s.Expect(s.ready("open-pisa")()).To(Equal(isReady))
	live := func(m member, path ...string) any {
		u, err := s.live(workload, m.apiVersion, m.kind, m.namespace, m.name)
		s.Expect(err).NotTo(HaveOccurred())
		value, _, err := unstructured.NestedFieldNoCopy(u.Object, path...)
		s.Expect(err).NotTo(HaveOccurred())
		return value
	}
	for _, path := range [][]string{{"metadata", "labels", "foreign"}, {"metadata", "annotations", "foreign"}, {"data", "foreign"}} {
		s.Expect(live(settings, path...)).To(Equal("second"))
	}
	s.Expect(live(gadget, "spec", "foreign")).To(Equal("second"))
	s.Expect(live(gadget, "status", "seen")).To(Equal("second"))
	s.Expect(live(widgets, "spec", "conversion", "webhook", "clientConfig", "caBundle")).NotTo(BeNil())
	s.Expect(live(webhook, "webhooks").([]any)[0].(map[string]any)["clientConfig"]).To(HaveKey("caBundle"))
}
