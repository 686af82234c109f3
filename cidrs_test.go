package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestTheFlagsOfAddressesAddUp(t *testing.T) {
	t.Parallel()
	o, err := parseOptions([]string{
		"--source-deny-cidrs=10.0.0.0/8,fd00::/8", "--source-deny-cidrs=192.0.2.0/24", "--source-allow-cidrs=127.0.0.0/8",
		"--registry-token-cidrs=10.1.0.0/16",
	})
	if err != nil {
		t.Fatal(err)
	}
	sources := o.app.Sources
	for got, want := range map[string]string{
		(*cidrs)(&sources.DenyCIDRs).String():  "10.0.0.0/8,fd00::/8,192.0.2.0/24",
		(*cidrs)(&sources.AllowCIDRs).String(): "127.0.0.0/8",
		(*cidrs)(&sources.TokenCIDRs).String(): "10.1.0.0/16",
	} {
		if got != want {
			t.Errorf("want %q, got %q", want, got)
		}
	}
	if !slices.Contains(sources.DenyCIDRs, netip.MustParsePrefix("fd00::/8")) {
		t.Errorf("want the second one too, got %v", sources.DenyCIDRs)
	}
}

func TestAFlagOfAddressesThatIsNone(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"source-deny-cidrs", "source-allow-cidrs", "registry-token-cidrs"} {
		_, err := parseOptions([]string{"--" + flag + "=10.0.0.1"})
		if err == nil || !strings.Contains(err.Error(), flag) || !strings.Contains(err.Error(), "10.0.0.0/8") {
			t.Errorf("want an error that names --%s and its form, got %v", flag, err)
		}
	}
}
