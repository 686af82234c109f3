package workload

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

var errNoConfig = errors.New("it is no kubeconfig")

const (
	isConnected = "<nil>"
	isUnknown   = ""
	isRefused   = ": connection refused"
	isSilent    = ": it does not answer within 5s"
)

func TestAConnectionIsOneRequestAndStays(t *testing.T) {
	t.Parallel()
	testPool(t, func(p *pool, server *memoryServer) {
		p.connect(berlin, "memory")
		p.want("at once", berlin, isConnected, 1)
		if got, err := p.Version(p.t.Context(), berlin, ""); err != nil || got.Version != "v1.36.0" {
			p.t.Errorf("want the version of the first request, got %+v, %v", got, err)
		}
		before := mustConnect(p.t, p.Connections, berlin)
		for range 60 {
			p.connect(berlin, "memory")
			elapse(time.Minute)
		}
		p.want("an hour later", berlin, isConnected, 0)
		if mustConnect(p.t, p.Connections, berlin) != before {
			p.t.Error("want the same client")
		}
		if r, d, c := server.requests.Load(), server.dials.Load(), server.connections(); r != 1 || d != 1 || c != 1 {
			p.t.Errorf("want one request through one connection that is open, got %d, %d, %d", r, d, c)
		}
	})
}

func TestAShortRestartOfAnAPIServerIsNoNews(t *testing.T) {
	t.Parallel()
	testPool(t, func(p *pool, server *memoryServer) {
		p.connect(berlin, "memory")
		p.want("before", berlin, isConnected, 1)
		elapse(time.Hour)
		server.refuses.Store(true)
		server.cut()
		for range 10 {
			elapse(time.Second)
			p.want("while it restarts", berlin, isConnected, 0)
		}
		server.refuses.Store(false)
		elapse(graceRetry + time.Duration(retryJitter*float64(graceRetry)))
		p.want("after it", berlin, isConnected, 0)
		if got := server.connections(); got != 1 {
			p.t.Errorf("want it connected again by itself, got %d connections", got)
		}
	})
}

func TestAnUpgradeIsSeenWhenTheAPIServerRestarts(t *testing.T) {
	t.Parallel()
	testPool(t, func(p *pool, server *memoryServer) {
		version := "v1.35.0"
		server.answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintf(w, `{"gitVersion":%q}`, version) }
		p.connect(berlin, "memory")
		p.want("before", berlin, isConnected, 1)
		elapse(time.Hour)
		version = "v1.36.0"
		server.cut()
		p.want("after", berlin, isConnected, 1)
	})
}

func TestAnAPIServerThatIsGoneIsNotConnectedAfterAWhile(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		goes  func(*memoryServer)
		after time.Duration
		why   string
	}{
		"it refuses connections": {func(s *memoryServer) {
			s.refuses.Store(true)
			s.cut()
		}, grace, isRefused},
		"it is cut off": {func(s *memoryServer) { s.swallows.Store(true) }, 30*time.Second + 15*time.Second + grace, isSilent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testPool(t, func(p *pool, server *memoryServer) {
				p.connect(berlin, "memory")
				p.want("before", berlin, isConnected, 1)
				elapse(time.Hour)
				tc.goes(server)
				elapse(grace - time.Second)
				p.want("not at once", berlin, isConnected, 0)
				elapse(tc.after - grace + graceRetry + 2*probeTime)
				p.want("after a while", berlin, tc.why, 1)
				elapse(time.Hour)
				p.want("an hour later", berlin, tc.why, 0)
				server.refuses.Store(false)
				server.swallows.Store(false)
				elapse(2 * lastRetry)
				p.want("when it is back", berlin, isConnected, 1)
			})
		})
	}
}

func TestAServerThatCannotBeReachedIsTriedLessAndLess(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		age         time.Duration
		first, hour int32 // attempts at least within a minute, and at most within an hour
	}{
		"one that is new": {0, 25, 31 + 120},
		"another":         {time.Hour, 4, 125},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testPool(t, func(p *pool, server *memoryServer) {
				server.refuses.Store(true)
				p.Connect(berlin, []byte("memory"), time.Now().Add(-tc.age))
				p.want("at once", berlin, isRefused, 1)
				elapse(time.Minute)
				if got := server.dials.Load(); got < tc.first || tc.age > 0 && got > 8 {
					p.t.Errorf("want it tried at least %d times within a minute, got %d", tc.first, got)
				}
				elapse(time.Hour - time.Minute)
				if got := server.dials.Load(); got > tc.hour {
					p.t.Errorf("want it tried at most %d times in an hour, got %d", tc.hour, got)
				}
				p.want("nothing changed", berlin, isRefused, 0)
			})
		})
	}
}

func TestAnotherKubeconfigIsAnotherConnection(t *testing.T) {
	t.Parallel()
	testPool(t, func(p *pool, server *memoryServer) {
		second := newMemoryServer()
		defer second.stop()
		p.configs["second"] = second.config()
		p.connect(berlin, "memory")
		p.want("before", berlin, isConnected, 1)
		first := mustConnect(p.t, p.Connections, berlin)

		second.refuses.Store(true)
		p.connect(berlin, "second")
		p.want("while the new one does not work yet", berlin, isConnected, 0)
		second.refuses.Store(false)
		elapse(graceRetry)
		p.want("when it does", berlin, isConnected, 1)
		if mustConnect(p.t, p.Connections, berlin) == first || server.connections() != 0 || second.connections() != 1 {
			p.t.Errorf("want the other client and the first connection closed, got %d and %d", server.connections(), second.connections())
		}
		if err := requests()["Metadata"].send(p.t.Context(), first); err == nil || server.connections() != 0 {
			p.t.Errorf("want the client of the first to reach nothing any more, got %v", err)
		}

		p.connect(berlin, "broken")
		p.want("when it is none", berlin, ": it is no kubeconfig", 1)
		if got := second.connections(); got != 0 {
			p.t.Errorf("want nothing open, got %d", got)
		}
		dials := second.dials.Load()
		elapse(time.Hour)
		p.connect(berlin, "memory")
		p.want("when it is good again", berlin, isConnected, 1)
		if second.dials.Load() != dials {
			p.t.Error("want nobody tried by a kubeconfig that is none")
		}
	})
}

func TestANewKubeconfigThatNeverWorksEndsTheOldOne(t *testing.T) {
	t.Parallel()
	testPool(t, func(p *pool, server *memoryServer) {
		nobody := newMemoryServer()
		defer nobody.stop()
		nobody.refuses.Store(true)
		p.configs["nobody"] = nobody.config()
		p.connect(berlin, "memory")
		p.want("before", berlin, isConnected, 1)
		p.connect(berlin, "nobody")
		elapse(grace + graceRetry + 2*time.Second)
		p.want("after", berlin, isRefused, 1)
		if got := server.connections(); got != 0 {
			p.t.Errorf("want nothing open, got %d", got)
		}
	})
}

func TestWhatIsNotToBeConnectedIsClosed(t *testing.T) {
	t.Parallel()
	testPool(t, func(p *pool, server *memoryServer) {
		p.connect(berlin, "memory")
		p.connect(paris, "memory")
		p.want("before", berlin, isConnected, 2)
		p.Disconnect(berlin)
		p.Disconnect(berlin)
		p.want("one of them", berlin, isUnknown, 1)
		p.end()
		elapse(time.Second)
		if got := server.connections(); got != 0 {
			p.t.Errorf("want all closed when the manager ends, got %d", got)
		}
	})
}

func TestAServerThatNeverAnswersDelaysNobody(t *testing.T) {
	t.Parallel()
	testPool(t, func(p *pool, server *memoryServer) {
		never := newMemoryServer()
		defer never.stop()
		never.swallows.Store(true)
		p.configs["never"] = never.config()
		const dead = 1000
		for i := range dead {
			p.Connect(client.ObjectKey{Namespace: "hostile", Name: fmt.Sprint(i)}, []byte("never"), time.Time{})
		}
		p.connect(berlin, "memory")
		p.want("of another namespace", berlin, isConnected, 1)
		neighbour := client.ObjectKey{Namespace: "hostile", Name: "good"}
		p.connect(neighbour, "memory")
		elapse(25 * time.Second) // fifty begin each second
		if _, err := p.Client(neighbour); err != nil {
			p.t.Errorf("want the one behind them connected, got %v", err)
		}
		elapse(5 * time.Minute)
		before := never.dials.Load()
		elapse(time.Minute)
		if got := never.dials.Load() - before; got > 2*dead {
			p.t.Errorf("want each tried at most every half a minute, got %d attempts in one", got)
		}
		if got := never.connections(); got > 400 {
			p.t.Errorf("want the connections of attempts that failed closed, got %d", got)
		}
	})
}

func TestAServerThatClosesEachConnectionIsAskedSeldom(t *testing.T) {
	t.Parallel()
	testPool(t, func(p *pool, server *memoryServer) {
		server.answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			_, _ = io.WriteString(w, `{"gitVersion":"v1.36.0"}`)
		}
		p.connect(berlin, "memory")
		elapse(time.Hour)
		p.want("though it closes", berlin, isConnected, 1)
		if got := server.requests.Load(); got > 130 {
			p.t.Errorf("want it asked every half a minute, got %d requests in an hour", got)
		}
	})
}

func TestAFrontEndThatOnlyKnowsHTTP1IsConnected(t *testing.T) {
	t.Parallel()
	testPool(t, func(p *pool, _ *memoryServer) {
		old := newMemoryServer("http/1.1")
		defer old.stop()
		p.configs["old"] = old.config()
		p.connect(berlin, "old")
		elapse(time.Hour)
		p.want("an hour later", berlin, isConnected, 1)
		if r, c := old.requests.Load(), old.connections(); r != 1 || c != 1 {
			p.t.Errorf("want one request and the connection open, got %d, %d", r, c)
		}
		old.refuses.Store(true)
		old.cut()
		elapse(2 * grace)
		p.want("when it is gone", berlin, isRefused, 1)
	})
}

func TestWhyAWorkloadClusterIsNotConnected(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, tc := range map[string]struct {
		given http.HandlerFunc
		want  string
	}{
		"an unknown user":                       {answer(401, "hunter2"), ": it answers GET /version with HTTP 401, so it does not know the user of the kubeconfig"},
		"a user without rights":                 {answer(403, "hunter2"), ": it answers GET /version with HTTP 403, so the user of the kubeconfig may not read its version"},
		"a load balancer without an API server": {answer(503, "hunter2"), ": it answers GET /version with HTTP 503"},
		"a page":                                {answer(200, "<html>hunter2"), ": what answers there is no API server"},
		"a list without an end":                 {func(w http.ResponseWriter, _ *http.Request) { repeat(w, "[", forEver) }, ": what answers there is no API server"},
		"silence":                               {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, isSilent},
		"a version that is none":                {answer(200, `{"gitVersion":"v9"}`), isConnected},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testPool(t, func(p *pool, server *memoryServer) {
				server.answer = tc.given
				p.connect(berlin, "memory")
				elapse(probeTime)
				p.want("after the first attempt", berlin, tc.want, 1)
			})
		})
	}
}

func TestARequestThatSpeaksAgainstAConnectionHasItProbed(t *testing.T) {
	t.Parallel()
	for name, given := range map[string]http.HandlerFunc{
		"it is not answered":    func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"its user is not known": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testPool(t, func(p *pool, server *memoryServer) {
				p.connect(berlin, "memory")
				p.want("before", berlin, isConnected, 1)
				elapse(time.Hour)
				server.answer = given
				if _, err := mustConnect(p.t, p.Connections, berlin).Metadata(p.t.Context(), core(p.t, "ConfigMap"), manifest.Ref{}); err == nil {
					p.t.Fatal("want an error")
				}
				elapse(probeTime)
				if got := server.requests.Load(); got < 3 {
					p.t.Errorf("want it probed, got %d requests", got)
				}
				elapse(2 * grace)
				if _, err := p.Client(berlin); err == nil {
					p.t.Error("want it not connected after a while")
				}
			})
		})
	}
}
