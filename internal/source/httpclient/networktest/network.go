// Package networktest puts a bad network between a client and a server in tests.
//
//	client <- Fault <- server      what the server sends
//	client  ----------> server     passes as it is
package networktest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// pieceBytes is how much passes at once.
const pieceBytes = 16 << 10

// Fault is what the network does to the bytes that a server sends on one connection.
// The zero value lets all of them pass.
type Fault struct {
	// Limit ends a connection after so many bytes; 0 for none.
	Limit int64
	// Delay holds up every piece of at most 16 KiB.
	Delay time.Duration
	// Reset resets a connection in place of its first byte.
	Reset bool
	// Swallow lets nothing pass, and leaves connections open.
	Swallow bool
}

// Network is a bad network before one server, with an address of its own.
type Network struct {
	listener net.Listener
	server   string
	fault    atomic.Pointer[Fault]
	done     chan struct{}
	conns    sync.WaitGroup
}

// Start starts a network before the server at an address, a host and a port. It ends
// with the test.
func Start(tb testing.TB, server string, fault Fault) *Network {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it resolves no name
	if err != nil {
		tb.Fatal(err)
	}
	n := &Network{listener: listener, server: server, done: make(chan struct{})}
	n.SetFault(fault)
	n.conns.Go(n.accept)
	tb.Cleanup(func() {
		close(n.done)
		_ = listener.Close()
		n.conns.Wait()
	})
	return n
}

// Address is the host and the port that lead to the server through the network.
func (n *Network) Address() string { return n.listener.Addr().String() }

// SetFault changes what happens to connections that begin from now on.
func (n *Network) SetFault(fault Fault) { n.fault.Store(&fault) }

func (n *Network) accept() {
	for {
		client, err := n.listener.Accept()
		if err != nil {
			return // it is closed
		}
		n.conns.Go(func() { n.connect(client, *n.fault.Load()) })
	}
}

// connect joins a client with the server until one of them, or the test, ends.
func (n *Network) connect(client net.Conn, fault Fault) {
	server, err := net.Dial("tcp", n.server) //nolint:noctx // on this machine
	if err != nil {
		_ = client.Close()
		return
	}
	ended := make(chan struct{})
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(server, client) // its error is that one of them has ended
		_ = server.Close()
	})
	both.Go(func() {
		n.pass(client, server, fault)
		close(ended)
	})
	select {
	case <-ended:
	case <-n.done:
	}
	_, _ = client.Close(), server.Close()
	both.Wait()
}

// pass passes on what the server sends, until it ends or the fault ends it.
func (n *Network) pass(client, server net.Conn, fault Fault) {
	piece, left := make([]byte, pieceBytes), fault.Limit
	for {
		size := int64(len(piece))
		if fault.Limit > 0 {
			size = min(size, left)
		}
		got, err := server.Read(piece[:size])
		if got > 0 && !n.send(client, piece[:got], fault) {
			return
		}
		if left -= int64(got); err != nil || fault.Limit > 0 && left == 0 {
			return
		}
	}
}

// send sends a piece as the fault has it, and reports whether the connection goes on.
func (n *Network) send(client net.Conn, piece []byte, fault Fault) bool {
	if fault.Reset {
		_ = client.(*net.TCPConn).SetLinger(0) // closing it then resets it
		return false
	}
	if fault.Swallow {
		return true
	}
	if fault.Delay > 0 {
		select {
		case <-time.After(fault.Delay):
		case <-n.done:
			return false
		}
	}
	_, err := client.Write(piece)
	return err == nil
}
