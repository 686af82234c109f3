package test

import (
	"os"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// configFile is the path of the file that configures a manager.
type configFile string

func (f configFile) write(t *testing.T, content string) {
	t.Helper()
	if err := os.WriteFile(string(f), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// changes has the file of a manager that requires signatures, and so refuses a Bundle with
// a file on a web server, become wrong, then require nothing but deny the server, then
// nothing at all. The manager is not started anew.
func (f configFile) changes(s *scenario, unsigned *v1alpha1.Bundle) {
	s.t.Helper()
	f.write(s.t, testenv.Loopback+"signatures: {require: false}\n")
	s.Eventually(f.state(s)).Should(MatchRegexp(`^False .*the one before still holds: .*unknown field "signatures.require"`))
	s.Expect(s.state(unsigned, v1alpha1.ReadyCondition)()).To(HavePrefix("False SignatureMissing: "))
	s.Expect(s.web.downloads()).To(BeEmpty())

	f.write(s.t, testenv.Loopback[:len(testenv.Loopback)-2]+", denied: [127.0.0.0/8]}\n")
	s.Eventually(f.state(s)).Should(HavePrefix("True "))
	s.Eventually(s.state(unsigned, v1alpha1.ReadyCondition)).Should(MatchRegexp("^False SourceDenied: .*denied by 127.0.0.0/8"))
	s.Expect(s.web.downloads()).To(BeEmpty())

	f.write(s.t, testenv.Loopback)
	s.Eventually(s.state(unsigned, v1alpha1.ReadyCondition)).Should(Equal(isReady))
}

// podName is that of the Pod that says whether the file holds.
const podName = "manager"

// inPod creates a Pod for a manager, and returns the environment of the manager in it.
func inPod(t *testing.T, m *testenv.Management) []string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: podName}}
	pod := &corev1.Pod{
		ObjectMeta: account.ObjectMeta,
		Spec: corev1.PodSpec{
			ServiceAccountName: podName, Containers: []corev1.Container{{Name: podName, Image: "manager"}},
		},
	}
	for _, object := range []client.Object{account, pod} {
		if err := m.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"POD_NAMESPACE=" + pod.Namespace, "POD_NAME=" + pod.Name, "POD_UID=" + string(pod.UID)}
}

// state returns the status and the message of the condition of the Pod.
func (configFile) state(s *scenario) func() string {
	return func() string {
		pod := &corev1.Pod{}
		s.Expect(s.management.Client.Get(s.t.Context(), client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: podName}, pod)).To(Succeed())
		for _, c := range pod.Status.Conditions {
			if c.Type == "addons.cluster.x-k8s.io/ConfigurationValid" {
				return string(c.Status) + " " + c.Message
			}
		}
		return "no condition"
	}
}
