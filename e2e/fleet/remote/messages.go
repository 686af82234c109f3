package remote

import "time"

// Request is a request that was recorded.
type Request struct {
	Method      string `json:"method"`
	Path        string `json:"path"`
	Accept      string `json:"accept"`
	ContentType string `json:"contentType"`
	Body        []byte `json:"body"`
	Watch       bool   `json:"watch"`
	// Status of its answer. A watch that is still open has none.
	Status int `json:"status"`
}

// Seen is what the clusters were asked since the last Reset.
type Seen struct {
	// Requests are by verb and resource, as "patch deployments.apps".
	Requests map[string]int64 `json:"requests"`
	// Failures are by status.
	Failures map[int]int64 `json:"failures"`
	Sent     int64         `json:"sent"`
	Received int64         `json:"received"`
	// Writes are the requests that change something.
	Writes int64 `json:"writes"`
	// Watches are those that each cluster has open now.
	Watches []int `json:"watches"`
	// First is when each cluster was first asked, Watched when it had the watches that were
	// awaited. Zero: not yet.
	First   []time.Time `json:"first"`
	Watched []time.Time `json:"watched"`
}

// Total returns how many requests there were.
func (s Seen) Total() int64 {
	var total int64
	for _, n := range s.Requests {
		total += n
	}
	return total
}

// silence is a request for clusters that answer nothing, or answer again.
type silence struct {
	From int  `json:"from"`
	To   int  `json:"to"`
	On   bool `json:"on"`
}
