package remote

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/fleet/simulator"
)

// Command is the first argument of a program that is to call Serve.
const Command = "simulator"

// headerTime bounds how long a client may take to send its header.
const headerTime = 10 * time.Second

// Serve runs the simulator until ctx is done. Start has made the arguments.
func Serve(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet(Command, flag.ContinueOnError)
	clusters := flags.Int("clusters", 1, "how many clusters")
	socket := flags.String("socket", "", "path of the socket that the simulator is controlled by")
	if err := flags.Parse(args); err != nil {
		return err
	}
	seen := newObserver(*clusters)
	seen.reset(nil)
	fleet, err := simulator.Start(ctx, simulator.Options{
		Clusters: *clusters,
		Around: func(next http.Handler) http.Handler {
			seen.next = next
			return seen
		},
	})
	if err != nil {
		return err
	}
	defer fleet.Stop()
	return (&control{fleet: fleet, seen: seen}).serve(ctx, *socket)
}

// control answers what Simulation asks.
type control struct {
	fleet *simulator.Fleet
	seen  *observer
}

func (c *control) serve(ctx context.Context, socket string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", socket)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	for path, answer := range map[string]http.HandlerFunc{
		"GET /kubeconfigs": c.kubeconfigs,
		"POST /reset":      c.reset,
		"GET /await":       c.await,
		"GET /seen":        c.report,
		"POST /silence":    c.silence,
		"POST /record":     c.record,
		"GET /recording":   c.recording,
	} {
		mux.HandleFunc(path, answer)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: headerTime}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // It ends Serve.
	defer stop()
	if err := server.Serve(listener); ctx.Err() == nil {
		return err
	}
	return os.RemoveAll(socket)
}

func reply(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // Who does not wait for it does not get it.
}

func (c *control) kubeconfigs(w http.ResponseWriter, _ *http.Request) {
	all := make([][]byte, c.fleet.Len())
	for i := range all {
		all[i] = c.fleet.Cluster(i).Kubeconfig()
	}
	reply(w, all)
}

func (c *control) reset(w http.ResponseWriter, r *http.Request) {
	var goals []int
	if err := json.NewDecoder(r.Body).Decode(&goals); err != nil || len(goals) > c.fleet.Len() {
		http.Error(w, "bad goals", http.StatusBadRequest)
		return
	}
	if goals != nil {
		goals = append(goals, make([]int, c.fleet.Len()-len(goals))...)
	}
	for i := range c.fleet.Len() {
		c.fleet.Cluster(i).Reset()
	}
	c.seen.reset(goals)
}

// await answers when all goals are reached.
func (c *control) await(w http.ResponseWriter, r *http.Request) {
	select {
	case <-c.seen.awaited():
		reply(w, 0)
	case <-r.Context().Done():
	}
}

func (c *control) report(w http.ResponseWriter, _ *http.Request) {
	seen := Seen{Requests: map[string]int64{}, Failures: map[int]int64{}}
	for i := range c.fleet.Len() {
		counters := c.fleet.Cluster(i).Counters()
		seen.add(counters)
		seen.Watches = append(seen.Watches, counters.Watches)
	}
	seen.First, seen.Watched = c.seen.times()
	reply(w, seen)
}

func (s *Seen) add(c simulator.Counters) {
	for kind, n := range c.Requests {
		s.Requests[nameOf(kind)] += int64(n)
		if isWrite(kind.Verb) {
			s.Writes += int64(n)
		}
	}
	for code, n := range c.Failures {
		s.Failures[code] += int64(n)
	}
	s.Sent += c.Sent
	s.Received += c.Received
}

func nameOf(k simulator.Kind) string {
	name := k.Verb + " " + k.Resource
	if k.Group != "" {
		name += "." + k.Group
	}
	return name
}

func isWrite(verb string) bool {
	switch verb {
	case "create", "update", "patch", "delete", "deletecollection":
		return true
	default:
		return false
	}
}

func (c *control) silence(w http.ResponseWriter, r *http.Request) {
	var of silence
	if err := json.NewDecoder(r.Body).Decode(&of); err != nil || of.From < 0 || of.To > c.fleet.Len() {
		http.Error(w, "bad clusters", http.StatusBadRequest)
		return
	}
	for i := of.From; i < of.To; i++ {
		c.fleet.Cluster(i).SetBlackHole(of.On)
	}
}

func (c *control) record(w http.ResponseWriter, r *http.Request) {
	cluster, err := strconv.Atoi(cmp.Or(r.URL.Query().Get("cluster"), "-1"))
	if err != nil || cluster >= c.fleet.Len() {
		http.Error(w, "bad cluster", http.StatusBadRequest)
		return
	}
	c.seen.startRecording(cluster)
}

func (c *control) recording(w http.ResponseWriter, _ *http.Request) {
	reply(w, c.seen.recordedRequests())
}
