package test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// TestAJobThatItsTTLRemovedIsDone has a Job that is removed as soon as it has finished.
func TestAJobThatItsTTLRemovedIsDone(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWhole(t)
	seen := testenv.NewProxy(t, workload.APIServer)
	job := `apiVersion: batch/v1
kind: Job
metadata: {name: ` + s.namespace + `, namespace: default}
spec:
  ttlSecondsAfterFinished: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: init, image: registry.example.com/init:1}]
`
	s.bundle("store", release("1.0.0", phase("database", inline(job)), phase("server", inline(good(s)))))
	s.set("store")
	s.cluster("siena", "store", seen)
	s.Eventually(s.ready("store-siena")).Should(Equal(isReady))
	s.Eventually(func() types.UID { return s.uid(workload, "batch/v1", "Job", "default", s.namespace) }).Should(BeEmpty())
	s.settles(seen)
	s.Expect(s.ready("store-siena")()).To(Equal(isReady))
	s.Expect(seen.Count("patch", "jobs")).To(Equal(1), "it runs once")
	s.Consistently(s.ready("store-siena"), quiet, time.Second).Should(Equal(isReady))
}
