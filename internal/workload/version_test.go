package workload

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestVersionsThatAreKnown(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given string
		want  bool
	}{
		"Kubernetes":               {"v1.36.3", true},
		"an alpha from a commit":   {"v1.34.0-alpha.2.145+0a1b2c3-dirty", true},
		"K3s":                      {"v1.34.2+k3s1", true},
		"EKS":                      {"v1.33.0-eks-abc", true},
		"GKE":                      {"v1.35.1-gke.100", true},
		"Tanzu":                    {"v1.34.8-vmware.2+tkg.1", true},
		"the first minor":          {"v1.20.0", true},
		"the last minor":           {"v1.49.0", true},
		"nothing":                  {"", false},
		"one before the first":     {"v1.19.16", false},
		"one behind the last":      {"v1.50.0", false},
		"a minor with zeros":       {"v1.036.0", false},
		"another major":            {"v2.36.0", false},
		"no patch":                 {"v1.36", false},
		"two lines":                {"v1.36.0\nv1.36.0", false},
		"a path":                   {"v1.36.0/../..", false},
		"a template":               {"v1.36.0-{{ .Values }}", false},
		"a suffix that is long":    {"v1.36.0-" + strings.Repeat("a", 60), false},
		"a patch that is long":     {"v1.36.0000", false},
		"one of a megabyte":        {"v1.36.0-" + strings.Repeat("a", 1<<20), false},
		"digits of another script": {"v1.３６.0", false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := checkVersion(tc.given)
			if tc.want != (err == nil) {
				t.Fatalf("want %t, got %.200v", tc.want, err)
			}
			if err != nil {
				faulttest.Want(t, err, fault.ClassStall, v1alpha1.ConstraintInvalidReason, "from v1.20 to v1.49")
			}
			if err != nil && len(err.Error()) > 300 {
				t.Errorf("want a short message, got %d bytes", len(err.Error()))
			}
		})
	}
}

// TestAClusterNamesFewVersions is about a cluster that names another version whenever it
// is asked: charts are rendered for each minor version.
func TestAClusterNamesFewVersions(t *testing.T) {
	t.Parallel()
	minor := 0
	server := newHostile(t, func(w http.ResponseWriter, _ *http.Request) {
		minor++
		_, _ = fmt.Fprintf(w, `{"gitVersion":"v1.%d.0"}`, minor)
	})
	c := newClient(t, server.config())
	seen := make(map[string]bool)
	for range 1000 {
		if got, err := c.Version(t.Context(), 0); err == nil {
			seen[got] = true
		}
	}
	if minor != 1000 || len(seen) != lastMinor-firstMinor+1 {
		t.Errorf("want the %d minor versions that are known of %d, got %d", lastMinor-firstMinor+1, minor, len(seen))
	}
}

func TestALargeVersionIsAnError(t *testing.T) {
	t.Parallel()
	server := newHostile(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"gitVersion":"v1.36.0-`+strings.Repeat("a", 1<<20)+`"}`)
	})
	connections := connectionsTo(t, configs{berlin: server.config()})
	known, err := connections.Version(t.Context(), berlin, "v1.35.0")
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ConstraintInvalidReason)
	if known.Version != "v1.35.0" || len(err.Error()) > 300 {
		t.Errorf("want the known version and a short message, got %+v, %d bytes", known, len(err.Error()))
	}
}

// TestAVersionThatIsNotAnsweredHoldsNobody is about the workers that ask for versions:
// a cluster that does not answer holds one for three seconds, and then none.
func TestAVersionThatIsNotAnsweredHoldsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &recovering{answers: time.Now().Add(time.Minute)}
		connections := connectionsTo(t, configs{berlin: {Host: "http://example.com", Transport: server}})
		for i, want := range []time.Duration{versionPatience, 0, 0, 0} {
			began := time.Now()
			_, err := connections.Version(t.Context(), berlin, "")
			faulttest.Want(t, err, fault.ClassRetry, v1alpha1.ApplyFailedReason, "did not answer in time")
			if took := time.Since(began); took != want {
				t.Errorf("call %d: want it to take %v, got %v", i, want, took)
			}
			elapse(10 * time.Second)
		}
		elapse(time.Minute)
		_, _ = connections.Version(t.Context(), berlin, "")
		elapse(time.Second)
		if got, err := connections.Version(t.Context(), berlin, ""); err != nil || got.Version != "v1.36.0" {
			t.Errorf("want the version of the server that recovered, got %+v, %v", got, err)
		}
		elapse(versionTTL)
		if _, err := connections.Version(t.Context(), berlin, ""); err != nil {
			t.Errorf("want it waited for again, got %v", err)
		}
	})
}

// recovering is the transport of a server that answers from some time on.
type recovering struct{ answers time.Time }

func (s *recovering) RoundTrip(r *http.Request) (*http.Response, error) {
	if time.Now().Before(s.answers) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	<-time.After(time.Millisecond)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"gitVersion":"v1.36.0"}`)),
	}, nil
}
