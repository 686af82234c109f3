package workload

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

var (
	berlin = client.ObjectKey{Namespace: "fleet", Name: "berlin"}
	paris  = client.ObjectKey{Namespace: "fleet", Name: "paris"}
)

// configs are the workload clusters that there is a connection to.
type configs map[client.ObjectKey]*rest.Config

// connectionsTo returns connections that are there, though nothing was asked.
func connectionsTo(t testing.TB, given configs) *Connections {
	t.Helper()
	c := NewConnections(t.Context(), ConnectionOptions{Concurrency: 1})
	for cluster, cfg := range given {
		connectTo(t, c, cluster, cfg)
	}
	return c
}

// connectTo has a connection be there, or another than before.
func connectTo(t testing.TB, c *Connections, cluster client.ObjectKey, cfg *rest.Config) {
	t.Helper()
	known := &connection{of: c, cluster: cluster, target: &target{}}
	known.ctx, known.cancel = context.WithCancel(t.Context())
	made, err := clientFor(cfg, c.places.of(cluster.Namespace), clientEvents{
		silence: known.eventsOf(known.target).silence,
	})
	if err != nil {
		t.Fatal(err)
	}
	// Nobody probes it.
	known.trying = true
	known.client, known.target.client = made, made
	c.byCluster[cluster] = known
}

func mustConnect(t testing.TB, c *Connections, cluster client.ObjectKey) *Client {
	t.Helper()
	connected, err := c.Client(cluster)
	if err != nil {
		t.Fatal(err)
	}
	return connected
}

func TestAClusterThatIsNotConnectedIsWaitedFor(t *testing.T) {
	t.Parallel()
	connections := connectionsTo(t, nil)
	_, err := connections.Client(berlin)
	faulttest.Want(t, err, fault.ClassWait, v1alpha1.ClusterNotConnectedReason, "not connected")
	if !errors.Is(err, ErrNotConnected) {
		t.Errorf("want ErrNotConnected, got %v", err)
	}
	if got := fault.AfterOf(err); got != 0 {
		t.Errorf("want the subscribers told, got a timer of %v", got)
	}
	known, err := connections.Version(t.Context(), berlin, "v1.35.0")
	if known.Version != "v1.35.0" {
		t.Errorf("want the known version, got %+v", known)
	}
	faulttest.Want(t, err, fault.ClassWait, v1alpha1.ClusterNotConnectedReason)
}

func TestTheVersionOfACluster(t *testing.T) {
	t.Parallel()
	connections := connectionsTo(t, configs{berlin: testenv.SharedWorkload(t).Config})
	if got, err := connections.Version(t.Context(), berlin, ""); err != nil || !strings.HasPrefix(got.Version, "v1.") {
		t.Errorf("want a version as in v1.36.3, got %+v, %v", got, err)
	}
}

// versioned is an API server that only has a version.
type versioned struct{ version atomic.Value }

// ServeHTTP serves /version.
func (v *versioned) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	_, _ = fmt.Fprintf(w, `{"gitVersion":%q}`, v.version.Load())
}

func TestAnUpgradeIsTold(t *testing.T) {
	t.Parallel()
	upgraded := &versioned{}
	server := httptest.NewServer(upgraded)
	t.Cleanup(server.Close)
	connections := connectionsTo(t, configs{berlin: {Host: server.URL}, paris: {Host: server.URL}})
	var told []client.ObjectKey
	connections.Subscribe(func(cluster client.ObjectKey) { told = append(told, cluster) })
	// readAgain reads the versions of both as if five minutes were over.
	readAgain := func(version string) {
		upgraded.version.Store(version)
		for _, cluster := range []client.ObjectKey{berlin, paris} {
			connected := mustConnect(t, connections, cluster)
			connected.known.at = connected.known.at.Add(-versionTTL)
			if got, err := connections.Version(t.Context(), cluster, ""); got.Version != version || err != nil {
				t.Fatalf("want %s, got %+v, %v", version, got, err)
			}
		}
	}
	readAgain("v1.35.0")
	readAgain("v1.35.0")
	if len(told) > 0 {
		t.Errorf("want nothing told of a version that stays, got %v", told)
	}
	readAgain("v1.36.0")
	readAgain("v1.36.0")
	if diff := cmp.Diff([]client.ObjectKey{berlin, paris}, told); diff != "" {
		t.Errorf("want the upgrade told once of each cluster (-want +got):\n%s", diff)
	}

	// A connection that is new is news by itself.
	connectTo(t, connections, berlin, &rest.Config{Host: server.URL})
	readAgain("v1.36.1")
	if diff := cmp.Diff([]client.ObjectKey{berlin, paris, paris}, told); diff != "" {
		t.Errorf("want nothing told of a new connection (-want +got):\n%s", diff)
	}
}

func TestAVersionThatDiffersIsReadAgainUntilItSettled(t *testing.T) {
	t.Parallel()
	const old, upgraded = "v1.35.0", "v1.36.0"
	answering := &versioned{}
	server := httptest.NewServer(answering)
	t.Cleanup(server.Close)
	connections := connectionsTo(t, configs{berlin: {Host: server.URL}})
	// after asks for the version after a time in which nobody did, with what the API
	// server answers now.
	after := func(passed time.Duration, answer string) release.Settled {
		answering.version.Store(answer)
		connected := mustConnect(t, connections, berlin)
		connected.known.at = connected.known.at.Add(-passed)
		known := connections.byCluster[berlin]
		known.reading.At = known.reading.At.Add(-passed)
		got, err := connections.Version(t.Context(), berlin, old)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	after(0, old)
	if got := after(versionTTL-time.Second, upgraded); got.Again != 0 {
		t.Errorf("want the known version not read again for %v, got %+v", versionTTL, got)
	}
	for round := range 3 {
		if got := after(versionTTL, upgraded); got.Version != old || got.Again == 0 {
			t.Errorf("round %d: want %s to stay and the version to be read again, got %+v", round, old, got)
		}
		if got := after(settlingTTL, old); got.Version != old || got.Again != 0 {
			t.Errorf("round %d: want it seen after %v that %s is back, got %+v", round, settlingTTL, old, got)
		}
	}
	after(versionTTL, upgraded)
	for range 6 { // with room for the time that the test itself takes
		if got := after(19*time.Second, upgraded); got.Version != old {
			t.Fatalf("want %s until the other is steady, got %+v", old, got)
		}
	}
	if got := after(20*time.Second, upgraded); got.Version != upgraded || got.Again != 0 {
		t.Errorf("want the upgrade to have settled, got %+v", got)
	}
}
