package test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/kubeconfig"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

const (
	// connectVariable names the file that "make test-connect" wants the times written to.
	connectVariable = "CONNECT_FILE"

	// connectClusters are measured at once. Their control planes are initialized one
	// connectStep after the other: in half a minute, the longest time between two attempts
	// to connect.
	connectClusters, connectStep = 20, 1500 * time.Millisecond
)

// arrival is the order in which a Cluster gets what a connection needs: how long after
// its control plane is initialized.
type arrival struct {
	name           string
	secret, answer time.Duration
}

// TestTheFirstApplyFollowsTheControlPlane measures the time from the moment at which a
// Cluster can be connected to the first apply there.
func TestTheFirstApplyFollowsTheControlPlane(t *testing.T) {
	t.Parallel()
	file := os.Getenv(connectVariable)
	if file == "" {
		t.Skip("make test-connect runs it: other tests would count")
	}
	management := testenv.NewManagement(t, testenv.ManagementOptions{})
	manager, err := testenv.StartManager(t.Context(), testenv.ManagerOptions{Management: management, CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(manager.Kill)
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "last to come\tClusters\tp50\tp99")
	for _, a := range []arrival{
		{"ControlPlaneInitialized", -time.Second, 0},
		{"the kubeconfig Secret", 2 * time.Second, 0},
		{"an answer of the API server", -time.Second, 3 * time.Second},
	} {
		took := scenarioWith(t, management, manager).firstApplies(a)
		slices.Sort(took)
		_, _ = fmt.Fprintf(w, "%s\t%d\t%.2f s\t%.2f s\n", a.name, len(took), took[len(took)/2].Seconds(), took[len(took)-1].Seconds())
	}
	_ = w.Flush()
	t.Log("\n" + table.String())
	NewWithT(t).Expect(os.WriteFile(file, []byte(table.String()), 0o600)).To(Succeed())
}

// firstApplies initializes Clusters one after the other, and returns for each how long
// its first apply took from the moment at which all was there for it.
func (s *scenario) firstApplies(a arrival) []time.Duration {
	s.t.Helper()
	var all sync.WaitGroup
	took := make([]time.Duration, connectClusters)
	for i := range took {
		name := fmt.Sprintf("c-%d", i)
		s.bundle(name, release("1.0.0", phase("all", inline(configMap("default", s.namespace+name, "x")))))
		s.set(name)
		server := newLateServer(s.t)
		cluster := s.cluster(name, name, nil)
		initialized := time.Now().Add(time.Duration(i+2) * connectStep)
		all.Go(func() {
			s.provide(cluster, server, initialized, a)
			from := initialized.Add(max(0, a.secret, a.answer))
			took[i] = (<-server.applied).Sub(from)
		})
	}
	all.Wait()
	return took
}

// provide gives a Cluster what a connection needs, each at its time.
func (s *scenario) provide(cluster *clusterv1.Cluster, server *lateServer, initialized time.Time, a arrival) {
	secret := func() {
		s.Expect(s.management.Client.Create(s.t.Context(), kubeconfig.GenerateSecret(cluster, server.Kubeconfig()))).To(Succeed())
	}
	if a.secret < 0 {
		secret()
	}
	s.setInitialization(cluster, clusterv1.ClusterInitializationStatus{InfrastructureProvisioned: new(true)})
	var all sync.WaitGroup
	all.Go(func() {
		server.answerFrom(s.t.Context(), initialized.Add(a.answer))
	})
	all.Go(func() {
		sleepUntil(s.t.Context(), initialized)
		s.setInitialization(cluster, clusterv1.ClusterInitializationStatus{
			InfrastructureProvisioned: new(true), ControlPlaneInitialized: new(true),
		})
	})
	all.Go(func() {
		if a.secret >= 0 {
			sleepUntil(s.t.Context(), initialized.Add(a.secret))
			secret()
		}
	})
	all.Wait()
}

func (s *scenario) setInitialization(cluster *clusterv1.Cluster, status clusterv1.ClusterInitializationStatus) {
	before := cluster.DeepCopy()
	cluster.Status.Initialization = status
	if status.ControlPlaneInitialized != nil {
		meta.SetStatusCondition(&cluster.Status.Conditions, metav1.Condition{
			Type: clusterv1.ClusterControlPlaneInitializedCondition, Status: metav1.ConditionTrue,
			Reason: clusterv1.ClusterControlPlaneInitializedReason,
		})
	}
	s.Expect(s.management.Client.Status().Patch(s.t.Context(), cluster, client.MergeFrom(before))).To(Succeed())
}

func sleepUntil(ctx context.Context, at time.Time) {
	select {
	case <-time.After(time.Until(at)):
	case <-ctx.Done():
	}
}

// lateServer is an API server that does not answer at first, and reports its first apply.
type lateServer struct {
	*testenv.Proxy
	applied chan time.Time
}

func newLateServer(t *testing.T) *lateServer {
	t.Helper()
	server := &lateServer{Proxy: testenv.NewProxy(t, testenv.SharedWorkload(t).APIServer), applied: make(chan time.Time, 1)}
	server.SetFault(testenv.Cut)
	return server
}

// answerFrom has the server answer from that time on.
func (l *lateServer) answerFrom(ctx context.Context, at time.Time) {
	sleepUntil(ctx, at)
	l.SetFault(func(_ http.ResponseWriter, _ *http.Request, r testenv.Request) bool {
		if r.Verb == "patch" && r.ContentType == "application/apply-patch+yaml" {
			select {
			case l.applied <- time.Now():
			default:
			}
		}
		return false
	})
}
