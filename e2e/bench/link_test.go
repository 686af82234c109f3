package main

import (
	"io"
	"net"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// What a lane says is compared, not what a loaded machine makes of it.
func TestALaneHasItsRateAndItsDelay(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := &lane{}
	if got, want := l.arrival(125_000, now).Sub(now), time.Second+linkRoundTrip/2; got != want {
		t.Errorf("a second of bytes arrives after %v, want %v", got, want)
	}
	if got, want := l.arrival(125_000, now).Sub(now), 2*time.Second+linkRoundTrip/2; got != want {
		t.Errorf("the next, of another connection, after %v, want %v", got, want)
	}
	later := now.Add(time.Hour)
	if got, want := l.arrival(1250, later).Sub(later), 10*time.Millisecond+linkRoundTrip/2; got != want {
		t.Errorf("behind a pause after %v, want %v", got, want)
	}
}

func TestALinkCarriesBothWays(t *testing.T) {
	t.Parallel()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.Copy(conn, conn)
	}()
	l, err := startLink(&rest.Config{Host: "https://" + server.Addr().String()}, []byte("apiVersion: v1\nkind: Config\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.stop()
	begin := time.Now()
	conn, err := net.Dial("tcp", l.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 5)
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "hello" {
		t.Fatalf("got %q: %v", answer, err)
	}
	if took := time.Since(begin); took < linkRoundTrip {
		t.Errorf("a round trip took %v only", took)
	}
}
