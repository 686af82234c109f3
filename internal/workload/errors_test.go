package workload

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestWhatARealAPIServerRefuses(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	ending := testenv.NewNamespace(t, w.APIServer)
	// Without a namespace controller it stays as it is.
	if err := w.Client.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ending}}); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, w.Config)
	settings := refTo("ConfigMap", ns, "settings")
	tests := map[string]struct {
		givenResource manifest.Resource
		givenRef      manifest.Ref
		givenBody     []byte
		wantClass     fault.Class
		wantReason    string
		wantAfter     time.Duration
		wantWords     []string
	}{
		"a kind that is not served": {
			givenResource: bookshop,
			givenRef:      manifest.Ref{Group: "example.com", Version: "v1", Kind: "Bookshop", Namespace: ns, Name: "corner"},
			givenBody:     []byte(`{}`),
			wantClass:     fault.ClassWait, wantReason: v1alpha1.KindNotServedReason, wantAfter: 5 * time.Second,
			wantWords: []string{"Bookshop " + ns + "/corner: ", "does not serve the kind Bookshop in example.com/v1"},
		},
		"a resource that its group does not have": {
			givenResource: manifest.Resource{Version: "v1", Plural: "bookshops", Namespaced: true},
			givenRef:      refTo("Bookshop", ns, "corner"), givenBody: []byte(`{}`),
			wantClass: fault.ClassWait, wantReason: v1alpha1.KindNotServedReason, wantAfter: 5 * time.Second,
			wantWords: []string{"does not serve the kind Bookshop in v1"},
		},
		"a namespace that does not exist": {
			givenRef:  refTo("ConfigMap", "nowhere", "settings"),
			givenBody: bodyOf(refTo("ConfigMap", "nowhere", "settings"), ""),
			wantClass: fault.ClassRetry, wantReason: v1alpha1.ApplyFailedReason,
			wantWords: []string{"ConfigMap nowhere/settings: HTTP 404 NotFound", `namespaces "nowhere" not found: add the Namespace as a source, or set createNamespace`},
		},
		"a namespace that does not exist, for a Secret": {
			givenResource: core(t, "Secret"), givenRef: refTo("Secret", "nowhere", "password"),
			givenBody: bodyOf(refTo("Secret", "nowhere", "password"), ""),
			wantClass: fault.ClassRetry, wantReason: v1alpha1.ApplyFailedReason,
			wantWords: []string{"Secret nowhere/password: HTTP 404 NotFound", `namespaces "nowhere" not found: add the Namespace as a source, or set createNamespace`},
		},
		"a namespace that is being deleted": {
			givenRef:  refTo("ConfigMap", ending, "settings"),
			givenBody: bodyOf(refTo("ConfigMap", ending, "settings"), ""),
			wantClass: fault.ClassWait, wantReason: v1alpha1.NamespaceTerminatingReason, wantAfter: namespaceRetry,
			wantWords: []string{"ConfigMap " + ending + "/settings: HTTP 403 Forbidden", "being terminated"},
		},
		"an object that is invalid": {
			givenRef: settings, givenBody: bodyOf(settings, `,"data":{"a key with blanks":"x"}`),
			wantClass: fault.ClassRetry, wantReason: v1alpha1.ObjectInvalidReason,
			wantWords: []string{"ConfigMap " + ns + "/settings: HTTP 422 Invalid", "a key with blanks"},
		},
		"an object that does not fit its schema": {
			givenRef: settings, givenBody: bodyOf(settings, `,"data":{"b":1,"a":true,"c":[]}`),
			wantClass: fault.ClassRetry, wantReason: v1alpha1.ObjectInvalidReason,
			wantWords: []string{"ConfigMap " + ns + "/settings: HTTP 500: failed to create typed patch object",
				".data.a: expected string, got &value.valueUnstructured{Value:true}; .data.b: expected string"},
		},
		"an object with another name than its path": {
			givenRef: settings, givenBody: bodyOf(refTo("ConfigMap", ns, "other"), ""),
			wantClass: fault.ClassRetry, wantReason: v1alpha1.ObjectInvalidReason,
			wantWords: []string{"ConfigMap " + ns + "/settings: HTTP 400 BadRequest"},
		},
		"an object that is larger than a request may be": {
			givenRef: settings, givenBody: bodyOf(settings, `,"data":{"key":"`+strings.Repeat("x", 4<<20)+`"}`),
			wantClass: fault.ClassStall, wantReason: v1alpha1.ObjectInvalidReason,
			wantWords: []string{"ConfigMap " + ns + "/settings: HTTP 413"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resource := tc.givenResource
			if resource == (manifest.Resource{}) {
				resource = core(t, "ConfigMap")
			}
			_, err := c.Apply(t.Context(), resource, tc.givenRef, tc.givenBody, inventory.FieldManager)
			faulttest.Want(t, err, tc.wantClass, tc.wantReason, tc.wantWords...)
			if got := fault.AfterOf(err); got != tc.wantAfter {
				t.Errorf("want to look again after %v, got %v", tc.wantAfter, got)
			}
			if _, again := c.Apply(t.Context(), resource, tc.givenRef, tc.givenBody, inventory.FieldManager); again.Error() != err.Error() {
				t.Errorf("want the same text again:\n%s\n%s", err, again)
			}
		})
	}
}

func TestForbidden(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	cfg, err := w.ConfigFor("nobody")
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, cfg)
	ref := refTo("ConfigMap", "default", "settings")
	_, applied := c.Apply(t.Context(), core(t, "ConfigMap"), ref, bodyOf(ref, ""), inventory.FieldManager)
	faulttest.Want(t, applied, fault.ClassRetry, v1alpha1.ApplyFailedReason,
		"ConfigMap default/settings: HTTP 403 Forbidden", `User "nobody" cannot patch`)
	_, err = c.Metadata(t.Context(), core(t, "ConfigMap"), ref)
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.ApplyFailedReason, `cannot get resource "configmaps"`)
}

func TestTheContentOfASecretIsInNoError(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	proxy := testenv.NewProxy(t, w.APIServer)
	const content = "hunter2-do-not-tell"
	ref := refTo("Secret", ns, "password")
	tests := map[string]struct {
		givenFields string
		givenFault  testenv.Fault
	}{
		"data that is not base64":     {givenFields: `,"data":{"password":"` + content + `!"}`},
		"data of the wrong type":      {givenFields: `,"data":["` + content + `"]`},
		"a key that is content":       {givenFields: `,"stringData":{"` + content + ` with blanks":"x"}`},
		"a field that does not exist": {givenFields: `,"` + content + `":"x"`},
		"a type that its data does not have": {
			givenFields: `,"type":"kubernetes.io/dockerconfigjson","stringData":{".dockerconfigjson":"` + content + `"}`,
		},
		"a server that repeats what it got": {
			givenFields: `,"stringData":{"password":"` + content + `"}`,
			givenFault: func(w http.ResponseWriter, r *http.Request, _ testenv.Request) bool {
				w.WriteHeader(http.StatusInternalServerError)
				_, _ = io.Copy(w, r.Body)
				return true
			},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			proxy.SetFault(tc.givenFault)
			_, err := newClient(t, proxy.Config).Apply(t.Context(), core(t, "Secret"), ref, bodyOf(ref, tc.givenFields), inventory.FieldManager)
			if err == nil {
				t.Fatal("want an error")
			}
			if strings.Contains(err.Error(), content) {
				t.Errorf("the content is told: %s", err)
			}
			if !strings.HasPrefix(err.Error(), "Secret "+ns+"/password: HTTP ") {
				t.Errorf("want the Secret and the status named, got: %s", err)
			}
		})
	}
}

func TestServersThatFail(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	tests := map[string]struct {
		given      testenv.Fault
		givenLimit time.Duration
		wantClass  fault.Class
		wantReason string
		wantAfter  time.Duration
		wantWords  []string
	}{
		"too many requests": {
			given:     testenv.Answer(http.StatusTooManyRequests, 7*time.Second),
			wantClass: fault.ClassWait, wantReason: v1alpha1.ThrottledReason, wantAfter: 7 * time.Second,
			wantWords: []string{"HTTP 429"},
		},
		"too many requests for a day": {
			given:     testenv.Answer(http.StatusTooManyRequests, 24*time.Hour),
			wantClass: fault.ClassWait, wantReason: v1alpha1.ThrottledReason, wantAfter: maxThrottle,
			wantWords: []string{"HTTP 429"},
		},
		"too many requests, and no word for how long": {
			given:     testenv.Answer(http.StatusTooManyRequests, 0),
			wantClass: fault.ClassWait, wantReason: v1alpha1.ThrottledReason, wantAfter: minThrottle,
			wantWords: []string{"HTTP 429"},
		},
		"an internal error": {
			given:     testenv.Answer(http.StatusInternalServerError, 0),
			wantClass: fault.ClassRetry, wantReason: v1alpha1.ApplyFailedReason, wantWords: []string{"HTTP 500"},
		},
		"an error that asks to be tried again": {
			given:     testenv.Answer(http.StatusServiceUnavailable, 5*time.Second),
			wantClass: fault.ClassRetry, wantReason: v1alpha1.ApplyFailedReason, wantWords: []string{"HTTP 503"},
		},
		"credentials that are not accepted": {
			given:     testenv.Answer(http.StatusUnauthorized, 0),
			wantClass: fault.ClassRetry, wantReason: v1alpha1.ApplyFailedReason, wantWords: []string{"HTTP 401"},
		},
		"a connection that is cut": {
			given:     testenv.Cut,
			wantClass: fault.ClassRetry, wantReason: v1alpha1.ApplyFailedReason,
			wantWords: []string{": the connection to the API server failed: connection closed by the server"},
		},
		"a server that hangs": {
			given: testenv.Hang, givenLimit: 100 * time.Millisecond,
			wantClass: fault.ClassRetry, wantReason: v1alpha1.ApplyFailedReason,
			wantWords: []string{": the API server did not answer in time"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := testenv.NewProxy(t, w.APIServer)
			c := newClient(t, proxy.Config)
			proxy.SetFault(tc.given)
			ref := refTo("ConfigMap", "default", "settings")
			calls := map[string]func(context.Context) error{
				"ConfigMap default/settings": func(ctx context.Context) error {
					_, err := c.Apply(ctx, core(t, "ConfigMap"), ref, bodyOf(ref, ""), inventory.FieldManager)
					return err
				},
				"discovery of apps/v1": func(ctx context.Context) error {
					_, err := c.Resources(ctx, "apps", "v1")
					return err
				},
				"version of the workload cluster": func(ctx context.Context) error {
					_, err := c.Version(ctx, versionTTL)
					return err
				},
			}
			for subject, call := range calls {
				ctx, cancel := context.WithTimeout(t.Context(), cmp.Or(tc.givenLimit, patience))
				defer cancel()
				proxy.Reset()
				err := call(ctx)
				faulttest.Want(t, err, tc.wantClass, tc.wantReason, append(tc.wantWords, subject+": ")...)
				if got := fault.AfterOf(err); got != tc.wantAfter {
					t.Errorf("want to look again after %v, got %v", tc.wantAfter, got)
				}
				if throttled := tc.wantReason == v1alpha1.ThrottledReason; errors.Is(err, rollout.ErrThrottled) != throttled {
					t.Errorf("want ErrThrottled to be in it: %t, got %v", throttled, err)
				}
				if got := len(proxy.Requests()); got != 1 {
					t.Errorf("%s: want no second try, got %d requests", subject, got)
				}
				if tc.givenLimit == 0 {
					if again := call(ctx); again.Error() != err.Error() {
						t.Errorf("want the same text again:\n%s\n%s", err, again)
					}
				}
			}
		})
	}
}

func TestAServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = newClient(t, &rest.Config{Host: "https://" + address}).Version(t.Context(), versionTTL)
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.ApplyFailedReason,
		"version of the workload cluster: the connection to the API server failed: connection refused")
	if strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("want no address: %s", err)
	}
}

func TestAnAnswerThatIsNotJSON(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<html>log in first</html>")
	}))
	t.Cleanup(server.Close)
	_, err := newClient(t, &rest.Config{Host: server.URL}).Object(t.Context(),
		core(t, "ConfigMap"), refTo("ConfigMap", "default", "settings"))
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.ApplyFailedReason, "ConfigMap default/settings", "not of the type that was requested")
}

func TestMessagesOfLostConnectionsAreStable(t *testing.T) {
	t.Parallel()
	dial := func(err error) error {
		return &url.Error{Op: "Patch", URL: "https://10.0.0.1:6443/api", Err: &net.OpError{Op: "dial", Net: "tcp", Err: err}}
	}
	const prefix = "the connection to the API server failed: "
	tests := map[string]struct {
		given error
		want  string
	}{
		"a deadline": {
			fmt.Errorf("waiting: %w", context.DeadlineExceeded), "the API server did not answer in time",
		},
		"a dial that takes long": {dial(timeout{}), "the API server did not answer in time"},
		"a name that is not known": {
			dial(&net.DNSError{Name: "api.example.com", Server: "10.0.0.10:53", Err: "no such host"}),
			prefix + "the name api.example.com was not found",
		},
		"a certificate that has expired": {
			dial(x509.CertificateInvalidError{Reason: x509.Expired, Detail: "current time 2026-01-01T00:00:00Z is after …"}),
			prefix + "its certificate has expired or is not yet valid",
		},
		"a certificate of somebody else": {dial(x509.UnknownAuthorityError{}), prefix + x509.UnknownAuthorityError{}.Error()},
		"an end in the middle":           {dial(io.ErrUnexpectedEOF), prefix + "connection closed by the server"},
		"any other":                      {dial(errors.New("proxy refused")), prefix + "proxy refused"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := unanswered(tc.given).Error(); got != tc.want {
				t.Errorf("want %q, got %q", tc.want, got)
			}
		})
	}
}

// timeout is an error of a system call that took too long.
type timeout struct{}

func (timeout) Error() string   { return "i/o timeout" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }
