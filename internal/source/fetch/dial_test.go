package fetch

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestDeniedAddressesByDefault(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given    string
		wantDeny string
	}{
		"loopback":                            {given: "127.0.0.1:80", wantDeny: "127.0.0.0/8"},
		"the end of loopback":                 {given: "127.255.255.255:80", wantDeny: "127.0.0.0/8"},
		"loopback of IPv6":                    {given: "[::1]:80", wantDeny: "::1/128"},
		"loopback mapped to IPv6":             {given: "[::ffff:127.0.0.1]:80", wantDeny: "127.0.0.0/8"},
		"the metadata service":                {given: "169.254.169.254:80", wantDeny: "169.254.0.0/16"},
		"the metadata service mapped to IPv6": {given: "[::ffff:a9fe:a9fe]:80", wantDeny: "169.254.0.0/16"},
		"link-local of IPv6":                  {given: "[fe80::1]:80", wantDeny: "fe80::/10"},
		"link-local with a zone":              {given: "[fe80::1%eth0]:80", wantDeny: "fe80::/10"},
		"unspecified":                         {given: "0.0.0.0:80", wantDeny: "0.0.0.0/32"},
		"unspecified of IPv6":                 {given: "[::]:80", wantDeny: "::/128"},
		"unspecified mapped to IPv6":          {given: "[::ffff:0.0.0.0]:80", wantDeny: "0.0.0.0/32"},
		"a private address":                   {given: "10.0.0.1:80"},
		"a public address":                    {given: "93.184.215.14:443"},
		"a public address of IPv6":            {given: "[2606:2800:21f:cb07::1]:443"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := denied(DefaultDenyCIDRs()).check(tc.given)
			if tc.wantDeny == "" {
				if err != nil {
					t.Errorf("want no error, got %v", err)
				}
				return
			}
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceDeniedReason,
				"is denied by "+tc.wantDeny, "--source-deny-cidrs")
		})
	}
}

func TestDeniedPrefixMappedToIPv6(t *testing.T) {
	t.Parallel()
	deny := denied{netip.MustParsePrefix("::ffff:10.0.0.0/104")}
	faulttest.Want(t, deny.check("10.1.2.3:80"), fault.ClassStall, v1alpha1.SourceDeniedReason, "10.1.2.3")
	if err := deny.check("11.0.0.1:80"); err != nil {
		t.Errorf("want no error, got %v", err)
	}
}

func TestAnAddressThatIsNoneIsDenied(t *testing.T) {
	t.Parallel()
	for _, given := range []string{"", "localhost:80", "127.0.0.1", "/var/run/docker.sock"} {
		faulttest.Want(t, denied{}.check(given), fault.ClassStall, v1alpha1.SourceDeniedReason, given)
	}
}

func TestOpenHTTPSDoesNotConnectToDeniedAddresses(t *testing.T) {
	t.Parallel()
	address := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("want no request") })
	port := mustParse(t, address).Port()
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			err := readAll(t.Context(), sources(t, Config{}), https("http://"+host+":"+port+"/a.yaml"))
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceDeniedReason,
				"http://"+host+":"+port+"/a.yaml: the address ", "--source-deny-cidrs")
		})
	}
}

func TestARedirectToADeniedAddressIsNotFollowed(t *testing.T) {
	t.Parallel()
	// Two loopback addresses stand for the public host and the metadata service.
	deny := []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
	s := sources(t, Config{DenyCIDRs: deny})
	s.transport = redirecting{to: "https://127.0.0.2/latest/meta-data/iam", next: s.transport}
	err := readAll(t.Context(), s, https("https://example.org/a.yaml"))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceDeniedReason,
		"https://example.org/a.yaml: redirected to https://127.0.0.2: the address 127.0.0.2 is denied")
}

func TestAProxyOnADeniedAddressIsNotUsed(t *testing.T) {
	t.Parallel()
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("want no request") })
	for _, given := range []string{"http://example.org/a.yaml", "https://example.org/a.yaml"} {
		s := sources(t, Config{Proxy: func(*http.Request) (*url.URL, error) {
			return url.Parse(strings.Replace(proxy, "://", "://hunter2:hunter2@", 1))
		}})
		err := readAll(t.Context(), s, https(given))
		faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceDeniedReason, given, "127.0.0.1 is denied")
	}
}

// redirecting answers requests to example.org with a redirect.
type redirecting struct {
	to   string
	next http.RoundTripper
}

func (r redirecting) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != "example.org" {
		return r.next.RoundTrip(req)
	}
	return &http.Response{
		StatusCode: http.StatusFound,
		Header:     http.Header{"Location": {r.to}},
		Body:       http.NoBody,
	}, nil
}

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
