package testenv

import (
	"fmt"
	"net"
	"strconv"

	"golang.org/x/sys/unix"
)

// port is a TCP port of 127.0.0.1 that nobody else gets, not even while no
// server listens on it: a socket that is bound but does not listen holds it,
// and the server shares it with SO_REUSEPORT.
type port struct {
	number int
	socket int
}

func reservePort() (*port, error) {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, fmt.Errorf("port: socket: %w", err)
	}
	unix.CloseOnExec(socket)
	number, err := bindShared(socket)
	if err != nil {
		_ = unix.Close(socket)
		return nil, fmt.Errorf("port: %w", err)
	}
	return &port{number: number, socket: socket}, nil
}

func bindShared(socket int) (int, error) {
	if err := unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return 0, fmt.Errorf("share: %w", err)
	}
	if err := unix.Bind(socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, fmt.Errorf("bind: %w", err)
	}
	name, err := unix.Getsockname(socket)
	if err != nil {
		return 0, fmt.Errorf("name: %w", err)
	}
	return name.(*unix.SockaddrInet4).Port, nil
}

func (p *port) String() string  { return strconv.Itoa(p.number) }
func (p *port) address() string { return net.JoinHostPort("127.0.0.1", p.String()) }

// release gives the port back.
func (p *port) release() { _ = unix.Close(p.socket) }
