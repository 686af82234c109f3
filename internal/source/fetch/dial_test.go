package fetch

import (
	"net"
	"net/http"
	"net/http/httptest"
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
		"AWS in IPv6":                         {given: "[fd00:ec2::254]:80", wantDeny: "fd00:ec2::/32"},
		"AWS for pods in IPv6":                {given: "[fd00:ec2::23]:80", wantDeny: "fd00:ec2::/32"},
		"Google Cloud in IPv6":                {given: "[fd20:ce::254]:80", wantDeny: "fd20:ce::254/128"},
		"Alibaba Cloud":                       {given: "100.100.100.200:80", wantDeny: "100.100.100.200/32"},
		"Oracle Cloud":                        {given: "192.0.0.192:80", wantDeny: "192.0.0.192/32"},
		"Oracle Cloud in IPv6":                {given: "[fd00:c1::a9fe:a9fe]:80", wantDeny: "fd00:c1::a9fe:a9fe/128"},
		"Azure":                               {given: "168.63.129.16:80", wantDeny: "168.63.129.16/32"},
		"Azure mapped to IPv6":                {given: "[::ffff:168.63.129.16]:80", wantDeny: "168.63.129.16/32"},
		"Scaleway in IPv6":                    {given: "[fd00:42::42]:80", wantDeny: "fd00:42::42/128"},
		"IPv4-compatible":                     {given: "[::169.254.169.254]:80", wantDeny: "169.254.0.0/16"},
		"IPv4-translated":                     {given: "[::ffff:0:169.254.169.254]:80", wantDeny: "169.254.0.0/16"},
		"NAT64":                               {given: "[64:ff9b::a9fe:a9fe]:80", wantDeny: "169.254.0.0/16"},
		"NAT64 of Azure":                      {given: "[64:ff9b::168.63.129.16]:80", wantDeny: "168.63.129.16/32"},
		"NAT64 of a network, 96 bits":         {given: "[64:ff9b:1:2:3:4:a9fe:a9fe]:80", wantDeny: "169.254.0.0/16"},
		"NAT64 of a network, 64 bits":         {given: "[64:ff9b:1:2:a9:fea9:fe00:0]:80", wantDeny: "169.254.0.0/16"},
		"NAT64 of a network, 56 bits":         {given: "[64:ff9b:1:2a9:fe:a9fe::]:80", wantDeny: "169.254.0.0/16"},
		"NAT64 of a network, 48 bits":         {given: "[64:ff9b:1:a9fe:a9:fe00::]:80", wantDeny: "169.254.0.0/16"},
		"6to4":                                {given: "[2002:a9fe:a9fe::1]:80", wantDeny: "169.254.0.0/16"},
		"a server of Teredo":                  {given: "[2001:0:a9fe:a9fe::1]:80", wantDeny: "169.254.0.0/16"},
		"a client of Teredo":                  {given: "[2001:0:102:304::5601:5601]:80", wantDeny: "169.254.0.0/16"},
		"a public address by NAT64, 48 bits":  {given: "[64:ff9b:1:5db8:d7:e00::]:443"},
		"a public address by NAT64":           {given: "[64:ff9b::93.184.215.14]:443"},
		"a private address":                   {given: "10.0.0.1:80"},
		"a public address":                    {given: "93.184.215.14:443"},
		"a public address of IPv6":            {given: "[2606:2800:21f:cb07::1]:443"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := denied{}.check(tc.given)
			if tc.wantDeny == "" {
				if err != nil {
					t.Errorf("want no error, got %v", err)
				}
				return
			}
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceDeniedReason, "is denied by "+tc.wantDeny)
		})
	}
}

func TestDeniedPrefixMappedToIPv6(t *testing.T) {
	t.Parallel()
	deny := denied{more: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}}
	faulttest.Want(t, deny.check("10.1.2.3:80"), fault.ClassStall, v1alpha1.SourceDeniedReason, "10.1.2.3")
	if err := deny.check("11.0.0.1:80"); err != nil {
		t.Errorf("want no error, got %v", err)
	}
}

func TestTheFlagsAddToTheDefaults(t *testing.T) {
	t.Parallel()
	deny := denied{
		more:    []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.2/32")},
		allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")},
	}
	for given, want := range map[string]string{
		"10.0.0.1:80":           "10.0.0.0/8 of addresses.denied",
		"[64:ff9b::a00:1]:80":   "10.0.0.0/8 of addresses.denied",
		"127.0.0.2:80":          "127.0.0.2/32 of addresses.denied",
		"169.254.169.254:80":    "169.254.0.0/16",
		"[::1]:80":              "::1/128",
		"127.0.0.1:80":          "",
		"[::ffff:127.0.0.1]:80": "",
	} {
		err := deny.check(given)
		if (err != nil) != (want != "") {
			t.Errorf("%s: want an error with %q, got %v", given, want, err)
		}
		if want != "" {
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceDeniedReason, want)
		}
	}
}

// TestAProxyIsNotAskedForWhatIsDenied has a proxy that would reach what the dialer is not
// asked for.
func TestAProxyIsNotAskedForWhatIsDenied(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skipf("no other address of loopback for the proxy: %v", err)
	}
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("want no request, got %s %s", r.Method, r.RequestURI)
	}))
	_ = proxy.Listener.Close()
	proxy.Listener = listener
	proxy.Start()
	t.Cleanup(proxy.Close)
	s := sources(t, Config{
		Settings: Settings{AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}},
		Proxy:    func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) },
	})
	for _, host := range []string{
		"169.254.169.254", "169.254.169.254.", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[fd00:ec2::254]", "[fe80::1%25eth0]",
		"127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1", "localhost", "LOCALHOST.", "a.localhost", "metadata.google.internal",
	} {
		for _, scheme := range []string{"http", "https"} {
			err := readAll(t.Context(), s, https(scheme+"://"+host+"/a.yaml"))
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceDeniedReason, "/a.yaml: ")
		}
		_, err := s.Proxy(&http.Request{URL: mustParse(t, "https://"+host+"/")})
		faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceDeniedReason)
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
				"http://"+host+":"+port+"/a.yaml: the address ", "is denied")
		})
	}
}

func TestARedirectToADeniedAddressIsNotFollowed(t *testing.T) {
	t.Parallel()
	// Two loopback addresses stand for the public host and the metadata service.
	deny := []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
	s := sources(t, Config{Settings: Settings{DenyCIDRs: deny, AllowCIDRs: loopback()}})
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
