package httpclient

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

// site answers requests, and remembers which URLs were asked for and which
// bodies are open.
type site struct {
	statuses  map[string]int    // by URL, 200 for others
	locations map[string]string // by URL
	asked     []string
	open      int
}

func (s *site) send(u *url.URL) (*http.Response, error) {
	s.asked = append(s.asked, u.String())
	if u.Path == "/broken" {
		return nil, errors.New("connection reset")
	}
	s.open++
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: &closing{func() { s.open-- }}}
	if status, ok := s.statuses[u.String()]; ok {
		resp.StatusCode = status
	}
	if location, ok := s.locations[u.String()]; ok {
		resp.Header.Set("Location", location)
	}
	return resp, nil
}

// closing is an empty body that calls a function when it is closed.
type closing struct{ closed func() }

func (c *closing) Read([]byte) (int, error) { return 0, io.EOF }

func (c *closing) Close() error {
	c.closed()
	return nil
}

func TestRedirectsLeadToAnAnswer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenStatuses  map[string]int
		givenLocations map[string]string
		want           []string
	}{
		"no redirect": {want: []string{"https://a.example/x"}},
		"to a path": {
			givenStatuses:  map[string]int{"https://a.example/x": 301},
			givenLocations: map[string]string{"https://a.example/x": "y?z=1"},
			want:           []string{"https://a.example/x", "https://a.example/y?z=1"},
		},
		"to another host, and back": {
			givenStatuses:  map[string]int{"https://a.example/x": 302, "https://b.example/x": 308},
			givenLocations: map[string]string{"https://a.example/x": "//b.example/x", "https://b.example/x": "https://a.example/y"},
			want:           []string{"https://a.example/x", "https://b.example/x", "https://a.example/y"},
		},
		"a status of redirects that leads nowhere": {
			givenStatuses: map[string]int{"https://a.example/x": 302},
			want:          []string{"https://a.example/x"},
		},
		"a location that is not for us": {
			givenStatuses:  map[string]int{"https://a.example/x": 201},
			givenLocations: map[string]string{"https://a.example/x": "y"},
			want:           []string{"https://a.example/x"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &site{statuses: tc.givenStatuses, locations: tc.givenLocations}
			resp, end, err := Redirects{Max: 2}.Follow(t.Context(), parsed(t, "https://a.example/x"), s.send)
			if err != nil {
				t.Fatalf("Follow: %v", err)
			}
			if diff := cmp.Diff(tc.want, s.asked); diff != "" {
				t.Errorf("what was asked for (-want +got):\n%s", diff)
			}
			if want := tc.want[len(tc.want)-1]; end.String() != want {
				t.Errorf("want the answer to come from %s, got %s", want, end)
			}
			if s.open != 1 {
				t.Errorf("want the body of the answer open and no other, got %d", s.open)
			}
			_ = resp.Body.Close()
		})
	}
}

func TestRedirectsThatAreNotFollowed(t *testing.T) {
	t.Parallel()
	const secret = "user:hunter2@"
	tests := map[string]struct {
		givenURL      string
		givenLocation string
		givenAdvice   string
		wantClass     fault.Class
		wantReason    string
		want          string
	}{
		"to http": {
			givenURL: "https://a.example/x", givenLocation: "http://" + secret + "a.example/hunter2",
			wantClass: fault.ClassStall, wantReason: v1alpha1.SourceDeniedReason,
			want: "redirected to another scheme, http://a.example",
		},
		"to https, with advice": {
			givenURL: "http://a.example/x", givenLocation: "https://a.example/?hunter2", givenAdvice: "use that",
			wantClass: fault.ClassStall, wantReason: v1alpha1.SourceDeniedReason,
			want: "redirected to another scheme, https://a.example: use that",
		},
		"without TLS to another host": {
			givenURL: "http://a.example/x", givenLocation: "http://" + secret + "b.example/hunter2",
			wantClass: fault.ClassStall, wantReason: v1alpha1.SourceDeniedReason,
			want: "redirected without TLS to another host, http://b.example",
		},
		"without TLS to another port, with advice": {
			givenURL: "http://a.example/x", givenLocation: "http://a.example:8080/x", givenAdvice: "use that",
			wantClass: fault.ClassStall, wantReason: v1alpha1.SourceDeniedReason,
			want: "redirected without TLS to another host, http://a.example:8080: use that",
		},
		"to a file": {
			givenURL: "https://a.example/x", givenLocation: "file:///etc/passwd",
			wantReason: v1alpha1.FetchFailedReason, want: "redirected to an invalid url",
		},
		"to what is no URL": {
			givenURL: "https://a.example/x", givenLocation: "https://" + secret + "a b.example",
			wantReason: v1alpha1.FetchFailedReason, want: "redirected to an invalid url",
		},
		"to itself": {
			givenURL: "https://a.example/x", givenLocation: "x",
			wantClass: fault.ClassStall, wantReason: v1alpha1.LimitExceededReason, want: "more than 3 redirects",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &site{
				statuses:  map[string]int{tc.givenURL: http.StatusFound},
				locations: map[string]string{tc.givenURL: tc.givenLocation},
			}
			rules := Redirects{Max: 3, Advice: tc.givenAdvice}
			_, _, err := rules.Follow(t.Context(), parsed(t, tc.givenURL), s.send) //nolint:bodyclose // there is none
			faulttest.WantMessage(t, err, tc.wantClass, tc.wantReason, tc.want)
			if s.open != 0 {
				t.Errorf("want all bodies closed, got %d open", s.open)
			}
		})
	}
}

func TestRedirectsAreCounted(t *testing.T) {
	t.Parallel()
	s := &site{statuses: map[string]int{}, locations: map[string]string{}}
	for i := range 3 {
		from := "https://a.example/" + strconv.Itoa(i)
		s.statuses[from], s.locations[from] = http.StatusFound, strconv.Itoa(i+1)
	}
	first := parsed(t, "https://a.example/0")
	resp, _, err := Redirects{Max: 3}.Follow(t.Context(), first, s.send)
	if err != nil {
		t.Fatalf("want as many redirects as the limit followed, got %v", err)
	}
	_ = resp.Body.Close()
	_, _, err = Redirects{Max: 2}.Follow(t.Context(), first, s.send) //nolint:bodyclose // there is none
	faulttest.WantMessage(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "more than 2 redirects")
}

func TestAnErrorNamesTheHostItIsAbout(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenLocation string
		want          string
	}{
		"the first one": {givenLocation: "/broken", want: "connection reset"},
		"the first one, written otherwise": {
			givenLocation: "https://A.example:443/broken", want: "connection reset",
		},
		"another one": {
			givenLocation: "https://user:hunter2@b.example/broken?hunter2",
			want:          "redirected to https://b.example: connection reset",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const first = "https://a.example/x"
			s := &site{
				statuses:  map[string]int{first: http.StatusFound},
				locations: map[string]string{first: tc.givenLocation},
			}
			rules := Redirects{Max: 3}
			_, _, err := rules.Follow(t.Context(), parsed(t, first), s.send) //nolint:bodyclose // there is none
			if err == nil || err.Error() != tc.want {
				t.Errorf("want %q, got %v", tc.want, err)
			}
		})
	}
}

func TestSameOrigin(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		a, b string
		want bool
	}{
		"the same":              {"https://a.example/x", "https://a.example/y?z", true},
		"in another case":       {"https://a.example", "https://A.Example", true},
		"the default of http":   {"http://a.example", "http://a.example:80", true},
		"the default of https":  {"https://a.example:443", "https://a.example", true},
		"another port":          {"https://a.example", "https://a.example:80", false},
		"another host":          {"https://a.example", "https://b.example", false},
		"a host below it":       {"https://a.example", "https://x.a.example", false},
		"another scheme":        {"https://a.example", "http://a.example", false},
		"a scheme, by the port": {"https://a.example:80", "http://a.example", false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := parsed(t, tc.a), parsed(t, tc.b)
			if SameOrigin(a, b) != tc.want || SameOrigin(b, a) != tc.want {
				t.Errorf("want %v both ways, got %v and %v", tc.want, SameOrigin(a, b), SameOrigin(b, a))
			}
		})
	}
}

func TestIsHTTP(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		"http://a.example": true, "https://a.example/x": true, "HTTPS://a.example": true,
		"": false, "a.example/x": false, "//a.example": false, "ftp://a.example": false, "httpx://a.example": false,
	} {
		if got := IsHTTP(parsed(t, raw)); got != want {
			t.Errorf("%q: want %v, got %v", raw, want, got)
		}
	}
}

func parsed(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
