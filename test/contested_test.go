package test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// setsBack has somebody patch an object every second until the test ends.
func (s *scenario) setsBack(w *testenv.Workload, m member, by client.FieldOwner, patch func(n int) string) {
	s.t.Helper()
	ended := make(chan struct{})
	s.t.Cleanup(func() { <-ended })
	tick := time.NewTicker(time.Second)
	go func() {
		defer close(ended)
		defer tick.Stop()
		for n := 0; ; n++ {
			// It may be missing for a moment, and the test ends in the middle of a request.
			_ = w.Client.Patch(s.t.Context(), m.object(), client.RawPatch(types.MergePatchType, []byte(patch(n))), by)
			select {
			case <-s.t.Context().Done():
				return
			case <-tick.C:
			}
		}
	}()
}

func TestWhoSetsADefinitionBackEverySecondIsNamedAndNotFought(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	seen := testenv.NewProxy(t, workload.APIServer)
	group := groupOf(s.namespace)
	widgets := member{"apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "widgets." + group}
	beside := member{"v1", "ConfigMap", "default", s.namespace + "-beside"}
	behind := member{"v1", "ConfigMap", "default", s.namespace + "-behind"}
	s.bundle("fought", release("1.0.0",
		phase("crds", inline(documents(crd(group, "widgets", "Widget"), configMap("default", beside.name, "x")))),
		phase("rest", inline(documents(configMap("default", behind.name, "x"), widget(s.namespace, "a", "same"))))))
	s.set("fought")
	s.cluster("gera", "fought", seen)
	s.Eventually(s.ready("fought-gera")).Should(Equal(isReady))
	s.settles(seen)
	seen.Reset()

	begun := time.Now()
	s.setsBack(workload, widgets, "stubborn", func(n int) string {
		return fmt.Sprintf(`{"spec":{"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":
			{"type":"object","description":"version %d","x-kubernetes-preserve-unknown-fields":true}}}]}}`, n)
	})
	s.Eventually(s.ready("fought-gera")).Should(MatchRegexp(
		`^False Contested: .*CustomResourceDefinition widgets.*"stubborn"`))
	t.Logf("contested after %.1f s and %d writes", time.Since(begun).Seconds(), len(seen.Writes()))

	// Whatever else somebody changes is repaired as before.
	for _, m := range []member{beside, behind, {group + "/v1", "Widget", "", "a"}} {
		s.deletes(workload)(m)
		s.Eventually(func() error { _, err := s.live(workload, m.apiVersion, m.kind, m.namespace, m.name); return err }).
			Should(Succeed(), "%s %s", m.kind, m.name)
	}
	s.Consistently(func() []string {
		return slices.DeleteFunc(writesOf(seen), func(w string) bool { return !strings.Contains(w, widgets.name) })
	}, 2*quiet, time.Second).Should(HaveLen(3), "it is not fought")
	s.Expect(s.ready("fought-gera")()).To(HavePrefix("False Contested"))
}
