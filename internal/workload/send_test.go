package workload

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

// sent counts requests to a server that never answers.
type sent struct {
	silentServer

	requests atomic.Int32
}

func (s *sent) RoundTrip(r *http.Request) (*http.Response, error) {
	s.requests.Add(1)
	return s.silentServer.RoundTrip(r)
}

// TestAPassGivesAServerUpThatIsSilent is about a pass that has many requests to make.
func TestAPassGivesAServerUpThatIsSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &sent{silentServer: silentServer{before: time.Hour}}
		connections := connectionsTo(t, configs{
			berlin: {Host: "http://example.com", Transport: server}, paris: {Host: "http://example.com", Transport: server},
		})
		connected := mustConnect(t, connections, berlin)
		pass, began := connected.ForPass(), time.Now()
		for range 10 {
			for method, request := range requests() {
				if method == "SaveParent" || method == "Version" {
					continue
				}
				if err := request.send(t.Context(), pass); method != "a watch" && !errors.Is(err, rollout.ErrUnanswered) {
					t.Errorf("%s: want a request that is not answered, got %v", method, err)
				}
			}
		}
		if took := time.Since(began); took > requestTimeout || server.requests.Load() != 1 {
			t.Errorf("want one request, given up after %v, got %d in %v", requestTimeout, server.requests.Load(), took)
		}
		if _, err := pass.SaveParent(t.Context(), &corev1.ConfigMap{}); err == nil || server.requests.Load() != 2 {
			t.Errorf("want what the pass did saved nevertheless, got %d requests, %v", server.requests.Load(), err)
		}
		_ = requests()["Object"].send(t.Context(), connected.ForPass())
		if server.requests.Load() != 3 {
			t.Error("want the next pass to ask again")
		}
	})
}

func TestASilenceIsRememberedForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		elsewhere := client.ObjectKey{Namespace: "elsewhere", Name: "berlin"}
		connections := connectionsTo(t, configs{
			berlin: {Host: "http://example.com", Transport: &sent{silentServer: silentServer{before: time.Hour}}},
			paris:  {Host: "http://example.com", Transport: &sent{}},
		})
		want := func(why string, own, neighbour bool) {
			t.Helper()
			got := fmt.Sprint(connections.Silence(berlin))
			gotParis := fmt.Sprint(connections.Silence(paris))
			gotElsewhere := fmt.Sprint(connections.Silence(elsewhere))
			if got != fmt.Sprint(own, own) || gotParis != fmt.Sprint(false, neighbour) || gotElsewhere != "false false" {
				t.Errorf("%s: got %s, %s, %s", why, got, gotParis, gotElsewhere)
			}
		}
		_ = requests()["Metadata"].send(t.Context(), mustConnect(t, connections, paris))
		want("all answered", false, false)
		_ = requests()["Metadata"].send(t.Context(), mustConnect(t, connections, berlin))
		want("one did not", true, true)
		connectTo(t, connections, berlin, &rest.Config{Host: "http://example.com", Transport: &sent{}})
		_ = requests()["Metadata"].send(t.Context(), mustConnect(t, connections, berlin))
		want("it answers again, through another connection", true, true)
		elapse(silenceTTL)
		want("that is long ago", false, false)
	})
}
