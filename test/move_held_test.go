package test

import (
	"net/http"
	"sync"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// hold keeps the requests that match from the workload cluster, all but the first ones,
// until the next move has ended.
func (m *moving) hold(pass int, match func(testenv.Request) bool) {
	m.held = &held{pass: pass, released: make(chan struct{}), match: match}
	m.seen.SetFault(m.held.serve)
}

// held keeps requests from the API server, all but the first ones, until their client
// gives them up; those that it does not give up until they are released, for a little
// longer, as a slow API server would.
type held struct {
	pass     int
	match    func(testenv.Request) bool
	released chan struct{}

	mu         sync.Mutex
	seen, open int
}

func (h *held) serve(_ http.ResponseWriter, r *http.Request, q testenv.Request) bool {
	if !h.match(q) || !h.begins() {
		return false
	}
	defer h.ends()
	select {
	case <-r.Context().Done():
		return true
	case <-h.released:
	}
	select {
	case <-r.Context().Done():
		return true
	case <-time.After(10 * time.Second):
		return false
	}
}

func (h *held) begins() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen++; h.seen <= h.pass {
		return false
	}
	h.open++
	return true
}

func (h *held) ends() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open--
}

// count returns how many requests are held now.
func (h *held) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open
}
