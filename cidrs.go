package main

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/pflag"
)

// cidrs is a flag with addresses: prefixes with commas between, once or several times.
type cidrs []netip.Prefix

var _ pflag.Value = (*cidrs)(nil)

// Set adds prefixes.
func (c *cidrs) Set(texts string) error {
	for text := range strings.SplitSeq(texts, ",") {
		if text == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			return fmt.Errorf("%q is not of the form 10.0.0.0/8 or fd00::/8", text)
		}
		*c = append(*c, prefix)
	}
	return nil
}

// String returns the prefixes with commas between.
func (c *cidrs) String() string {
	texts := make([]string, len(*c))
	for i, prefix := range *c {
		texts[i] = prefix.String()
	}
	return strings.Join(texts, ",")
}

// Type names the kind of value in the usage.
func (c *cidrs) Type() string { return "cidrs" }
