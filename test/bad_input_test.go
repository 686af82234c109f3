package test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// good is a small manifest that can be applied anywhere.
func good(s *scenario) string { return configMap("default", s.namespace, "good") }

// password is in every Secret, value and URL of a bad input that could repeat it.
const password = "correct-horse-battery-staple"

// badInput is a source that a Bundle may name and that cannot be used.
type badInput struct {
	// given returns the source. The scenario has a web server for it alone.
	given func(s *scenario) v1alpha1.Source
	// phase changes the phase that the source is in; nil for nothing.
	phase func(*v1alpha1.Phase)
	// verify has the source signed by its key.
	verify *v1alpha1.Verify
	// want is a regular expression for the Ready condition of the Bundle.
	want string
	// stall is whether somebody has to change something.
	stall bool
}

// badInputs are all that one manager gets at the same time.
func badInputs() map[string]badInput {
	all := map[string]badInput{}
	for of, inputs := range map[string]map[string]badInput{
		"web": badFiles(), "archive": badArchives(), "kustomization": badKustomizations(), "manifest": badManifests(),
		"chart": badCharts(), "repository": badRepositories(), "artifact": badArtifacts(), "signature": badSignatures(),
		"reference": badReferences(), "Secret": badSecrets(), "expression": badExpressions(),
	} {
		for name, input := range inputs {
			all[of+": "+name] = input
		}
	}
	return all
}

func TestEachBadInputIsAClearConditionAndNothingOfItIsApplied(t *testing.T) {
	t.Parallel()
	const fewest = 60
	inputs := badInputs()
	names := slices.Sorted(maps.Keys(inputs))
	if len(names) < fewest {
		t.Errorf("want %d bad inputs or more, got %d", fewest, len(names))
	}
	s := newScenario(t)
	seen := testenv.NewProxy(t, testenv.SharedWorkload(t).APIServer)
	labels := map[string]string{}
	bundles := map[string]*v1alpha1.Bundle{}
	for i, name := range names {
		id := fmt.Sprintf("bad-%02d", i)
		bundles[name] = s.badBundle(id, inputs[name])
		s.set(id, func(spec *v1alpha1.ClusterBundleSetSpec) {
			spec.ClusterSelector.MatchLabels = map[string]string{id: ""}
		})
		labels[id] = ""
	}
	testenv.NewCluster(t, s.management, testenv.ClusterOptions{
		Namespace: s.namespace, Name: "nice", Labels: labels, Workload: seen,
	})
	t.Run("each", func(t *testing.T) {
		for _, name := range names {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s.isRefusedAs(t, bundles[name], inputs[name])
			})
		}
	})
	s.Expect(seen.Writes()).To(BeEmpty(), "nothing of a release is applied that is not whole")
	s.tellsNo(password)

	// A bundle that is fine is not disturbed.
	s.bundle("fine", release("1.0.0", phase("all", inline(configMap("default", s.namespace+"-ok", "x")))))
	s.set("fine")
	s.cluster("tours", "fine", testenv.SharedWorkload(t))
	s.Eventually(s.ready("fine-tours")).Should(Equal(isReady))
}

// badBundle makes a Bundle with a phase that is fine and one with a bad input.
func (s *scenario) badBundle(name string, input badInput) *v1alpha1.Bundle {
	s.t.Helper()
	alone := *s
	alone.web = newWeb(s.t)
	broken := phase("broken", input.given(&alone))
	if input.phase != nil {
		input.phase(&broken)
	}
	fine := phase("fine", inline(configMap("default", s.namespace+"-"+name, "x")))
	if input.verify != nil {
		return s.verifiedBundle(name, input.verify, release("1.0.0", broken))
	}
	return s.bundle(name, release("1.0.0", fine, broken))
}

// isRefusedAs waits until a Bundle, and what delivers it, have the conditions of a bad
// input.
func (s *scenario) isRefusedAs(t *testing.T, bundle *v1alpha1.Bundle, input badInput) {
	t.Helper()
	g := NewWithT(t)
	delivered := s.named(bundle.Name + "-nice")
	eventually := func(actual any) AsyncAssertion { return g.Eventually(actual).WithTimeout(patience) }
	eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(MatchRegexp("^" + input.want))
	g.Expect(bundle.Status.Releases).To(HaveLen(1))
	g.Expect(bundle.Status.Releases[0].Message).NotTo(BeEmpty())
	eventually(s.state(delivered, v1alpha1.ReadyCondition)).Should(MatchRegexp("^" + input.want))
	stalled := metav1.ConditionFalse
	if input.stall {
		stalled = metav1.ConditionTrue
	}
	eventually(s.state(delivered, v1alpha1.StalledCondition)).Should(HavePrefix(string(stalled)))
	for _, c := range append(bundle.Status.Conditions, delivered.Status.Conditions...) {
		g.Expect(len(c.Message)).To(BeNumerically("<=", 1024), c.Message)
	}
}

// tellsNo expects that no status, no event and no line of the log has the word.
func (s *scenario) tellsNo(word string) {
	s.t.Helper()
	told := strings.Split(s.manager.Log(), "\n")
	note := func(name string, status any) { told = append(told, fmt.Sprintf("%s: %+v", name, status)) }
	bundles, sets := &v1alpha1.BundleList{}, &v1alpha1.ClusterBundleSetList{}
	delivered, events := &v1alpha1.ClusterBundleList{}, &eventsv1.EventList{}
	for _, list := range []client.ObjectList{bundles, sets, delivered, events} {
		s.Expect(s.management.Client.List(s.t.Context(), list, client.InNamespace(s.namespace))).To(Succeed())
	}
	for _, b := range bundles.Items {
		note(b.Name, b.Status)
	}
	for _, set := range sets.Items {
		note(set.Name, set.Status)
	}
	for _, cb := range delivered.Items {
		note(cb.Name, cb.Status)
	}
	for _, e := range events.Items {
		note(e.Name, e.Note)
	}
	told = slices.DeleteFunc(told, func(line string) bool { return !strings.Contains(line, word) })
	s.Expect(told).To(BeEmpty())
}
