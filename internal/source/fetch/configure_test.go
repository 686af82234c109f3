package fetch

import (
	"io"
	"net/http"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

// TestAConnectionThatIsKeptIsDeniedToo fetches twice over one connection, since no other
// one would be let through by the dialer.
func TestAConnectionThatIsKeptIsDeniedToo(t *testing.T) {
	t.Parallel()
	address := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "abc") })
	s := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}})
	as := *s // as As copies it
	for _, each := range []*Sources{s, &as} {
		body, err := each.Open(t.Context(), https(address+"/a.yaml"))
		wantBody(t, body, err, "abc")
	}
	s.Configure(Settings{AllowCIDRs: loopback(), DenyCIDRs: loopback(), MaxBytes: 3, MaxRatio: 1})
	for _, each := range []*Sources{s, &as} {
		err := readAll(t.Context(), each, https(address+"/a.yaml"))
		faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceDeniedReason, "127.0.0.1 is denied by 127.0.0.0/8")
	}
	s.Configure(Settings{AllowCIDRs: loopback(), MaxBytes: 3, MaxRatio: 1})
	body, err := s.Open(t.Context(), https(address+"/a.yaml"))
	wantBody(t, body, err, "abc")
}

func TestADownloadEndsWhenItsAddressIsDenied(t *testing.T) {
	t.Parallel()
	denied := make(chan struct{})
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "abc")
		w.(http.Flusher).Flush()
		<-denied
		for r.Context().Err() == nil { // without an end, but that of the client
			_, _ = io.WriteString(w, "def")
		}
	})
	s := sources(t, Config{Settings: Settings{AllowCIDRs: loopback(), MaxBytes: 1 << 40}})
	body, err := s.Open(t.Context(), https(address+"/a.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if _, err := io.ReadFull(body, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	s.Configure(Settings{MaxBytes: 1, MaxRatio: 1})
	close(denied)
	// The next attempt is a Stall.
	_, err = io.Copy(io.Discard, body)
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "127.0.0.1 is denied")
}

func TestALimitThatChangesHoldsForTheNextDownload(t *testing.T) {
	t.Parallel()
	address := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "abc") })
	s := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}})
	s.Configure(Settings{AllowCIDRs: loopback(), MaxBytes: 2, MaxRatio: 1})
	err := readAll(t.Context(), s, https(address+"/a.yaml"))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "limit of 2 bytes")
	s.Configure(Settings{AllowCIDRs: loopback(), MaxBytes: 3, MaxRatio: 1})
	body, err := s.Open(t.Context(), https(address+"/a.yaml"))
	wantBody(t, body, err, "abc")
}
