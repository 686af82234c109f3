package oci

import (
	"context"
	"net/netip"
	"slices"
	"sync"

	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// maxTokens bounds the tokens of a session.
const maxTokens = 64

// tokens keeps what a registry took from one identity. That of the library has no bound,
// and lets who asks wait for the request of somebody else, whose Secret may have another
// name.
type tokens struct {
	mu     sync.Mutex
	scheme auth.Scheme
	byKey  map[string]string
}

var _ auth.Cache = (*tokens)(nil)

// GetScheme returns how the registry is spoken to.
func (t *tokens) GetScheme(context.Context, string) (auth.Scheme, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.byKey) == 0 {
		return auth.SchemeUnknown, errdef.ErrNotFound
	}
	return t.scheme, nil
}

// GetToken returns a token by its scopes.
func (t *tokens) GetToken(_ context.Context, _ string, scheme auth.Scheme, key string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	token, ok := t.byKey[key]
	if !ok || scheme != t.scheme {
		return "", errdef.ErrNotFound
	}
	return token, nil
}

// Set fetches a token and keeps it.
func (t *tokens) Set(
	ctx context.Context, _ string, scheme auth.Scheme, key string, fetch func(context.Context) (string, error),
) (string, error) {
	token, err := fetch(ctx)
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byKey == nil || len(t.byKey) >= maxTokens || scheme != t.scheme {
		t.byKey = map[string]string{}
	}
	t.scheme, t.byKey[key] = scheme, token
	return token, nil
}

// blockedRealms returns the addresses that a token server may not have unless it is on the
// host of its registry: those of no public network, without the allowed ones.
func blockedRealms(allowed []netip.Prefix) []netip.Prefix {
	blocked := slices.Concat(auth.DefaultBlockedRealmPrefixes(), auth.PrivateRealmPrefixes())
	for _, a := range allowed {
		var left []netip.Prefix
		for _, b := range blocked {
			left = append(left, without(b, a.Masked())...)
		}
		blocked = left
	}
	return blocked
}

// without returns what of a prefix is not in another one.
func without(p, other netip.Prefix) []netip.Prefix {
	switch {
	case !p.Overlaps(other):
		return []netip.Prefix{p}
	case p.Bits() >= other.Bits():
		return nil
	}
	lower := netip.PrefixFrom(p.Addr(), p.Bits()+1)
	upper := p.Addr().AsSlice()
	upper[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	at, _ := netip.AddrFromSlice(upper)
	return append(without(lower, other), without(netip.PrefixFrom(at, p.Bits()+1), other)...)
}
