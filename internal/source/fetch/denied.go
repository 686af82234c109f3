package fetch

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// mappedPrefixLen is that of ::ffff:0:0/96, see RFC 4291 section 2.5.5.2.
const mappedPrefixLen = 96

// proxiedLookup bounds looking up a name that a proxy will look up, too.
const proxiedLookup = 2 * time.Second

// deniedAlways are the addresses that are denied unless Settings.AllowCIDRs has them.
var deniedAlways = []netip.Prefix{
	// Loopback, and unspecified, which many systems take for it.
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("0.0.0.0/32"),
	netip.MustParsePrefix("::/128"),
	// Link-local, where most clouds serve metadata and credentials.
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("fe80::/10"),
	// Where some serve them elsewhere.
	netip.MustParsePrefix("fd00:ec2::/32"),          // AWS
	netip.MustParsePrefix("fd20:ce::254/128"),       // Google Cloud
	netip.MustParsePrefix("168.63.129.16/32"),       // Azure
	netip.MustParsePrefix("100.100.100.200/32"),     // Alibaba Cloud
	netip.MustParsePrefix("192.0.0.192/32"),         // Oracle Cloud
	netip.MustParsePrefix("fd00:c1::a9fe:a9fe/128"), // Oracle Cloud
	netip.MustParsePrefix("fd00:42::42/128"),        // Scaleway
}

// deniedNames are names that a proxy may know though we have no answer for them.
var deniedNames = map[string]netip.Addr{
	"localhost":                netip.MustParseAddr("127.0.0.1"),
	"metadata.google.internal": netip.MustParseAddr("169.254.169.254"),
}

// embeddings are the addresses of IPv6 that stand for one of IPv4, and the bytes that
// it is in. Whether they lead there depends on the network, so it is looked at, too.
var embeddings = []struct {
	within netip.Prefix
	at     [4]int
	// inverted is true where every bit is.
	inverted bool
}{
	{within: netip.MustParsePrefix("::/96"), at: [4]int{12, 13, 14, 15}},                     // IPv4-compatible, RFC 4291
	{within: netip.MustParsePrefix("::ffff:0:0:0/96"), at: [4]int{12, 13, 14, 15}},           // translated, RFC 2765
	{within: netip.MustParsePrefix("64:ff9b::/96"), at: [4]int{12, 13, 14, 15}},              // NAT64, RFC 6052
	{within: netip.MustParsePrefix("64:ff9b:1::/48"), at: [4]int{12, 13, 14, 15}},            // NAT64 of a network, RFC 8215:
	{within: netip.MustParsePrefix("64:ff9b:1::/48"), at: [4]int{6, 7, 9, 10}},               // with prefixes of 48,
	{within: netip.MustParsePrefix("64:ff9b:1::/48"), at: [4]int{7, 9, 10, 11}},              // 56
	{within: netip.MustParsePrefix("64:ff9b:1::/48"), at: [4]int{9, 10, 11, 12}},             // and 64 bits
	{within: netip.MustParsePrefix("2002::/16"), at: [4]int{2, 3, 4, 5}},                     // 6to4, RFC 3056
	{within: netip.MustParsePrefix("2001::/32"), at: [4]int{4, 5, 6, 7}},                     // Teredo, RFC 4380: the server
	{within: netip.MustParsePrefix("2001::/32"), at: [4]int{12, 13, 14, 15}, inverted: true}, // and the client
}

// denied is which addresses nothing is fetched from.
type denied struct {
	// more is denied beside deniedAlways, of which allowed is excepted.
	more, allowed []netip.Prefix
}

// check returns an error when address, an IP address and a port, is denied.
func (d denied) check(address string) error {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return fault.Stallf(v1alpha1.SourceDeniedReason, "%q is not an address and a port", address)
	}
	return d.checkIP(addr.Addr())
}

// checkIP returns an error when addr, or what it stands for, is denied.
func (d denied) checkIP(addr netip.Addr) error {
	for _, ip := range append(embedded(addr), addr.Unmap().WithZone("")) {
		if prefix, ok := within(d.more, ip); ok {
			return fault.Stallf(v1alpha1.SourceDeniedReason,
				"the address %s is denied by %s of addresses.denied in the manager's configuration", addr, prefix)
		}
		if _, ok := within(d.allowed, ip); ok {
			continue
		}
		if prefix, ok := within(deniedAlways, ip); ok {
			return fault.Stallf(v1alpha1.SourceDeniedReason,
				"the address %s is denied by %s, since the metadata of a cloud or the manager itself may be there", addr, prefix)
		}
	}
	return nil
}

// checkHost returns an error when the host of a URL that a proxy connects to is denied,
// as far as can be known here: the proxy may know the name by another address.
func (d denied) checkHost(ctx context.Context, host string) error {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if ip, err := netip.ParseAddr(host); err == nil {
		return d.checkIP(ip)
	}
	last := host[strings.LastIndex(host, ".")+1:]
	if strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		// 127.1, 0x7f000001 and 2130706433 are loopback to many programs.
		return fault.Stallf(v1alpha1.SourceDeniedReason, "%q is neither a name nor an address as it is usually written", host)
	}
	if strings.HasSuffix(host, ".localhost") {
		host = "localhost"
	}
	if ip, ok := deniedNames[host]; ok {
		return d.checkIP(ip)
	}
	ctx, stop := context.WithTimeout(ctx, proxiedLookup)
	defer stop()
	ips, _ := net.DefaultResolver.LookupNetIP(ctx, "ip", host) // who has a proxy may have no name server
	for _, ip := range ips {
		if err := d.checkIP(ip); err != nil {
			return err
		}
	}
	return nil
}

// embedded returns the addresses of IPv4 that one of IPv6 stands for.
func embedded(addr netip.Addr) []netip.Addr {
	addr = addr.WithZone("")
	if !addr.Is6() || addr.Is4In6() || addr.IsLoopback() || addr.IsUnspecified() {
		return nil
	}
	var found []netip.Addr
	for _, e := range embeddings {
		if !e.within.Contains(addr) {
			continue
		}
		var ip [4]byte
		for i, at := range e.at {
			ip[i] = addr.As16()[at]
			if e.inverted {
				ip[i] ^= 0xff
			}
		}
		if ip != [4]byte{} { // it is in other bytes
			found = append(found, netip.AddrFrom4(ip))
		}
	}
	return found
}

// within returns the first of the prefixes that ip is in.
func within(prefixes []netip.Prefix, ip netip.Addr) (netip.Prefix, bool) {
	at := slices.IndexFunc(prefixes, func(p netip.Prefix) bool { return unmapPrefix(p).Contains(ip) })
	if at < 0 {
		return netip.Prefix{}, false
	}
	return prefixes[at], true
}

// unmapPrefix returns a prefix of IPv4 addresses that are mapped to IPv6 as one
// of IPv4 addresses.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= mappedPrefixLen {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedPrefixLen)
	}
	return p
}
