package workload

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

// TestWhatNobodyReadsIsNotHeld is about a connection with many streams: each held 4 MiB
// of what the server sent.
func TestWhatNobodyReadsIsNotHeld(t *testing.T) {
	t.Parallel()
	const streams = 10
	server := newHostile(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("watch") {
			repeat(w, " ", forEver)
			return
		}
		_, _ = io.WriteString(w, `{"gitVersion":"v1.36.0"}`)
	})
	c := newClient(t, server.config())
	for range streams {
		events, err := openWatch(t.Context(), c, rollout.Target{Resource: bookshop}, "1", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer events.close()
	}
	for range 200 {
		if _, err := c.Version(t.Context(), 0); err != nil {
			t.Fatalf("want others served through the connection, got %v", err)
		}
	}
	// The server holds some of it, too.
	if sent := server.sent.Load(); sent > unreadOfConnection+streams<<20 {
		t.Errorf("want at most %d bytes held, got %d sent", unreadOfConnection, sent)
	}
}

func TestALargeHeaderIsAnError(t *testing.T) {
	t.Parallel()
	server := newHostile(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 100 {
			w.Header().Add("X-Large", strings.Repeat("a", 10_000))
		}
		_, _ = io.WriteString(w, `{"kind":"Any","apiVersion":"v1"}`)
	})
	c := newClient(t, server.config())
	if err := requests()["Object"].send(t.Context(), c); err == nil || len(err.Error()) > 2*maxQuoted {
		t.Errorf("want a short error, got %.200v", err)
	}
}
