package simulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
)

const (
	// Each cluster has an address behind the first one.
	firstAddress = 127<<24 | 1<<16
	lastAddress  = 127<<24 | 254<<16 | 0xffff

	// maxClusters is how many addresses there are.
	maxClusters = lastAddress - firstAddress + 1

	// filesOfProcess is how many files the process has open otherwise.
	filesOfProcess = 200
)

// check returns what keeps a fleet from starting: a number of clusters that has no
// addresses, or for which the process may not open enough files. It raises the limit
// of open files as far as that is allowed.
func check(o Options) error {
	if o.Clusters < 1 || o.Clusters > maxClusters {
		return fmt.Errorf("%d clusters: there may be 1 to %d, one for each address from 127.1.0.0 to 127.254.255.255",
			o.Clusters, maxClusters)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	if limit.Cur < limit.Max {
		limit.Cur = limit.Max
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return fmt.Errorf("limit of open files: %w", err)
		}
	}
	return checkFiles(o.Clusters, limit.Cur)
}

// checkFiles returns an error if a limit of open files is too low for the connections
// of that many clusters: one each, and half as many more for those that connect anew.
func checkFiles(clusters int, limit uint64) error {
	need := uint64(clusters+clusters/2) + filesOfProcess //nolint:gosec // It is at least 1.
	if limit >= need {
		return nil
	}
	return fmt.Errorf("%d clusters need %d open files, and the process may have %d: "+
		"run \"ulimit -n %d\" before, as root if the hard limit is lower (\"prlimit --pid $$ --nofile=%d\")",
		clusters, need, limit, need, need)
}

// listen listens on all addresses that clusters have. A port that is in use is an
// error that says so.
func listen(ctx context.Context, port int) (net.Listener, error) {
	// Only a socket for any address gets what comes for all of 127.0.0.0/8. What comes
	// for others is closed: see connections.
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", net.JoinHostPort("0.0.0.0", strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is in use: give another one, or 0 for any that is free", port)
	}
	if err != nil {
		return nil, fmt.Errorf("port %d: %w", port, err)
	}
	return listener, nil
}

// address returns the address of a cluster.
func address(index int) net.IP {
	n := firstAddress + index
	return net.IPv4(byte(n>>24), byte(n>>16), byte(n>>8), byte(n)) //nolint:gosec // Its bytes.
}

// at returns the cluster with an address, nil if there is none.
func (f *Fleet) at(addr net.Addr) *Cluster {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return nil
	}
	ip := tcp.IP.To4()
	if ip == nil {
		return nil
	}
	index := int(ip[0])<<24 | int(ip[1])<<16 | int(ip[2])<<8 | int(ip[3])
	index -= firstAddress
	if index < 0 || index >= len(f.clusters) {
		return nil
	}
	return f.clusters[index]
}

// minorOf returns the minor version of one like v1.36.3.
func minorOf(kubernetes string) string {
	parts := strings.SplitN(kubernetes, ".", 3)
	if len(parts) < 2 {
		return ""
	}
	return parts[1]
}
