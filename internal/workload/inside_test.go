package workload

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestTheClusterOfTheManagerIsReachedFromInside(t *testing.T) {
	t.Parallel()
	const inside, outside = "127.0.0.1", "example.com"
	for name, tc := range map[string]struct {
		uid, ca string
		want    string // that is asked once it is connected
	}{
		"its Pod is there":                  {"uid", "", inside},
		"a Pod of its name is there":        {"another", "", outside},
		"unless it has another authority":   {"uid", "another", outside},
		"unless it cannot be reached there": {"uid", "refuses", outside},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testPool(t, func(p *pool, server *memoryServer) {
				p.inside = &Inside{
					Host: "https://" + inside, CAData: append(server.ca, '\n'),
					Pod: client.ObjectKey{Namespace: "caapb-system", Name: "manager"}, UID: "uid",
				}
				if tc.ca == "another" {
					p.inside.CAData = []byte("another")
				}
				asked := ""
				server.answer = func(w http.ResponseWriter, r *http.Request) {
					asked = r.Host
					switch {
					case r.Host == inside && tc.ca == "refuses":
						w.WriteHeader(http.StatusForbidden)
					case r.URL.Path == "/api/v1/namespaces/caapb-system/pods/manager":
						_, _ = fmt.Fprintf(w, `{"metadata":{"uid":%q}}`, tc.uid)
					default:
						_, _ = fmt.Fprint(w, `{"gitVersion":"v1.36.0"}`)
					}
				}
				p.connect(berlin, "memory")
				p.want("at once", berlin, isConnected, 1)
				if _, err := mustConnect(p.t, p.Connections, berlin).Version(p.t.Context(), 0); err != nil || asked != tc.want {
					p.t.Errorf("want %s asked, got %s, %v", tc.want, asked, err)
				}
				elapse(time.Hour)
				p.want("an hour later", berlin, isConnected, 0)
				if got := server.connections(); got != 1 {
					p.t.Errorf("want the other connection closed, got %d", got)
				}
			})
		})
	}
}
