package remote

import (
	"context"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// TestMain lets the program of the tests be the simulator.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Command {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		err := Serve(ctx, os.Args[2:])
		stop()
		if err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func started(t *testing.T, clusters int) *Simulation {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(t.Context(), program, clusters)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// ask asks a cluster for its version.
func ask(t *testing.T, kubeconfig []byte, timeout time.Duration) error {
	t.Helper()
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.Timeout = timeout
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, config.Host+"/version", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func TestAnotherProcessCountsAndRecordsWhatItsClustersAreAsked(t *testing.T) {
	t.Parallel()
	s := started(t, 2)
	all, err := s.Kubeconfigs(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("%d kubeconfigs: %v", len(all), err)
	}
	if err := s.Record(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	for _, of := range all {
		if err := ask(t, of, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	seen, err := s.Seen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if seen.Total() != 2 || seen.Requests["get /version"] != 2 || seen.Received == 0 || seen.Writes != 0 {
		t.Errorf("it has seen %+v", seen)
	}
	if seen.First[0].Before(before) || seen.First[1].Before(seen.First[0]) {
		t.Errorf("first requests at %v, begun at %v", seen.First, before)
	}
	recording, err := s.Recording(t.Context())
	if err != nil || len(recording) != 1 || recording[0].Path != "/version" || recording[0].Status != http.StatusOK {
		t.Errorf("recorded %+v: %v", recording, err)
	}
	if err := s.Reset(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if seen, err := s.Seen(t.Context()); err != nil || seen.Total() != 0 || !slices.Equal(seen.Watches, []int{0, 0}) {
		t.Errorf("behind a reset it has seen %+v: %v", seen, err)
	}
	if err := s.Await(t.Context()); err != nil {
		t.Errorf("nothing is awaited: %v", err)
	}
}

func TestSilentClustersAnswerAgain(t *testing.T) {
	t.Parallel()
	s := started(t, 2)
	all, err := s.Kubeconfigs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetSilent(t.Context(), 1, 2, true); err != nil {
		t.Fatal(err)
	}
	if err := ask(t, all[0], time.Minute); err != nil {
		t.Errorf("the other one does not answer: %v", err)
	}
	if err := ask(t, all[1], 100*time.Millisecond); err == nil {
		t.Error("a silent one answers")
	}
	if err := s.SetSilent(t.Context(), 1, 2, false); err != nil {
		t.Fatal(err)
	}
	if err := ask(t, all[1], time.Minute); err != nil {
		t.Errorf("it does not answer again: %v", err)
	}
	if err := s.SetSilent(t.Context(), 1, 3, true); err == nil {
		t.Error("a cluster that is not there was made silent")
	}
}

func TestWhatTheSimulatorRefusesIsTheErrorOfItsStart(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if s, err := Start(t.Context(), program, 1<<30); err == nil {
		s.Stop()
		t.Fatal("a billion clusters started")
	} else if !strings.Contains(err.Error(), "has ended by itself") {
		t.Errorf("got %v", err)
	}
}
