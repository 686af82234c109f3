package oci

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"oras.land/oras-go/v2/registry/remote/auth"
)

func TestTheTokensOfASessionAreBounded(t *testing.T) {
	t.Parallel()
	kept := &tokens{}
	for i := range 10 * maxTokens {
		token, err := kept.Set(t.Context(), "a", auth.SchemeBearer, fmt.Sprint(i), func(context.Context) (string, error) {
			return fmt.Sprint("token-", i), nil
		})
		if err != nil || token != fmt.Sprint("token-", i) || len(kept.byKey) > maxTokens {
			t.Fatalf("want at most %d tokens, got %d, %q, %v", maxTokens, len(kept.byKey), token, err)
		}
		if got, err := kept.GetToken(t.Context(), "a", auth.SchemeBearer, fmt.Sprint(i)); err != nil || got != token {
			t.Errorf("want %q, got %q, %v", token, got, err)
		}
	}
}

func TestWhatIsAllowedIsTakenOutOfWhatIsBlocked(t *testing.T) {
	t.Parallel()
	prefixes := func(texts ...string) []netip.Prefix {
		all := make([]netip.Prefix, len(texts))
		for i, text := range texts {
			all[i] = netip.MustParsePrefix(text)
		}
		return all
	}
	blocked := blockedRealms(prefixes("10.1.2.3/16", "172.0.0.0/8", "fd00:1::/32"))
	for text, want := range map[string]bool{
		"10.0.255.255": true, "10.1.0.0": false, "10.1.255.255": false, "10.2.0.0": true, "172.16.0.1": false,
		"192.168.0.1": true, "fd00:1::1": false, "fd00:2::1": true, "fdff::1": true, "127.0.0.1": true,
		"169.254.169.254": true, "100.100.100.200": true, "93.184.215.14": false,
	} {
		got := false
		for _, p := range blocked {
			got = got || p.Contains(netip.MustParseAddr(text))
		}
		if got != want {
			t.Errorf("%s: want it blocked: %t, got %t", text, want, got)
		}
	}
}
