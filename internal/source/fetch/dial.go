package fetch

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"syscall"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// mappedPrefixLen is that of ::ffff:0:0/96, see RFC 4291 section 2.5.5.2.
const mappedPrefixLen = 96

// DefaultDenyCIDRs returns the addresses that are denied by default: loopback,
// link-local (where clouds serve credentials) and unspecified, which many
// systems take for loopback.
func DefaultDenyCIDRs() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"),
		netip.MustParsePrefix("::1/128"),
		netip.MustParsePrefix("169.254.0.0/16"),
		netip.MustParsePrefix("fe80::/10"),
		netip.MustParsePrefix("0.0.0.0/32"),
		netip.MustParsePrefix("::/128"),
	}
}

// DialContext connects to addr as downloads do: bounded in time, and not to an
// address that is denied, which is a Stall with the reason SourceDenied.
// It is for the transports of other clients, whose errors httpclient.Sanitize makes
// readable.
func (s *Sources) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return s.dialer.DialContext(ctx, network, addr)
}

func newTransport(cfg Config, dialer *net.Dialer, certificate *tls.Certificate) *http.Transport {
	return httpclient.NewTransport(httpclient.Transport{
		Dial:           dialer.DialContext,
		Proxy:          cfg.Proxy,
		RootCAs:        cfg.RootCAs,
		Certificate:    certificate,
		ConnectTimeout: cfg.ConnectTimeout,
		HeaderTimeout:  cfg.HeaderTimeout,
	})
}

// newDialer returns a dialer that looks at every address before it connects.
func newDialer(cfg Config) *net.Dialer {
	deny := denied(cfg.DenyCIDRs)
	return &net.Dialer{
		Timeout: cfg.ConnectTimeout,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			return deny.check(address)
		},
	}
}

// denied is addresses that no connection is made to.
type denied []netip.Prefix

// check returns an error when address, an IP address and a port, is denied.
func (d denied) check(address string) error {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return fault.Stallf(v1alpha1.SourceDeniedReason, "%q is not an address and a port", address)
	}
	ip := addr.Addr().Unmap().WithZone("")
	for _, prefix := range d {
		if unmapPrefix(prefix).Contains(ip) {
			return fault.Stallf(v1alpha1.SourceDeniedReason,
				"the address %s is denied by %s of the flag --source-deny-cidrs", ip, prefix)
		}
	}
	return nil
}

// unmapPrefix returns a prefix of IPv4 addresses that are mapped to IPv6 as one
// of IPv4 addresses.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= mappedPrefixLen {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedPrefixLen)
	}
	return p
}
