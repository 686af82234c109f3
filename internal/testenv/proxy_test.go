package testenv

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	v1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestProxyRemembersRequests(t *testing.T) {
	t.Parallel()
	w := SharedWorkload(t)
	ns := NewNamespace(t, w.APIServer)
	p := NewProxy(t, w.APIServer)
	c := clientOf(t, p)
	cm := configMap(ns, "a")
	apply := v1.ConfigMap("b", ns).WithData(map[string]string{"k": "v"})
	if err := errors.Join(
		c.Create(t.Context(), cm),
		c.Get(t.Context(), client.ObjectKeyFromObject(cm), cm),
		c.Apply(t.Context(), apply, client.FieldOwner("test")),
		c.List(t.Context(), &corev1.ConfigMapList{}, client.InNamespace(ns)),
		client.IgnoreNotFound(c.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "none"}, cm)),
	); err != nil {
		t.Fatal(err)
	}
	type seen struct {
		Verb, Name, ContentType string
		Status                  int
	}
	var got []seen
	for _, r := range p.Requests() {
		if r.Resource != "configmaps" {
			continue // Discovery.
		}
		got = append(got, seen{r.Verb, r.Name, r.ContentType, r.Status})
		if r.Namespace != ns || r.Received == 0 || (r.Sent > 0) != r.IsWrite() {
			t.Errorf("got %+v", r)
		}
	}
	diff(t, "requests", []seen{
		{"create", "", "application/vnd.kubernetes.protobuf", 201},
		{"get", "a", "", 200},
		{"patch", "b", "application/apply-patch+yaml", 201},
		{"list", "", "", 200},
		{"get", "none", "", 404},
	}, got)
}

func TestProxyCountsWhatGoesOverItsConnections(t *testing.T) {
	t.Parallel()
	w := SharedWorkload(t)
	ns := NewNamespace(t, w.APIServer)
	p := NewProxy(t, w.APIServer)
	c := clientOf(t, p)
	if err := c.List(t.Context(), &corev1.ConfigMapList{}, client.InNamespace(ns)); err != nil {
		t.Fatal(err)
	}
	p.Reset() // The client has connected and knows the kind.
	if sent, received := p.Wire(); sent != 0 || received != 0 {
		t.Errorf("after Reset: got %d sent, %d received", sent, received)
	}
	large := configMap(ns, "large")
	large.Data = map[string]string{"noise": strings.Repeat("x", 100_000)}
	if err := c.Create(t.Context(), large); err != nil {
		t.Fatal(err)
	}
	r := p.Requests()[0]
	sent, received := p.Wire()
	if sent < r.Sent || sent > r.Sent+10_000 || received < r.Received || received > r.Received+10_000 {
		t.Errorf("got %d sent, %d received with the request %+v", sent, received, r)
	}
}

func TestProxyCountsRequests(t *testing.T) {
	t.Parallel()
	p := &Proxy{requests: []*Request{
		{Verb: "get", Resource: "configmaps"}, {Verb: "get", Resource: "pods"}, {Verb: "get", Path: "/version"},
		{Verb: "patch", Resource: "pods"}, {Verb: "deletecollection", Resource: "pods"}, {Verb: "watch", Resource: "pods"},
	}}
	for name, tc := range map[string]struct {
		givenVerb, givenResource string
		want                     int
	}{
		"of a verb and a resource": {"get", "pods", 1},
		"of a verb":                {"get", "", 3},
		"of a resource":            {"", "pods", 4},
		"all":                      {"", "", 6},
		"none":                     {"list", "pods", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := p.Count(tc.givenVerb, tc.givenResource); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
	diff(t, "writes", []Request{
		{Verb: "patch", Resource: "pods"}, {Verb: "deletecollection", Resource: "pods"},
	}, p.Writes())
	reset := &Proxy{requests: []*Request{{Verb: "get"}}}
	reset.Reset()
	diff(t, "requests after a reset", []Request{}, reset.Requests())
}

func TestProxyPassesWatches(t *testing.T) {
	t.Parallel()
	w := SharedWorkload(t)
	ns := NewNamespace(t, w.APIServer)
	p := NewProxy(t, w.APIServer)
	watch, err := clientOf(t, p).Watch(t.Context(), &corev1.ConfigMapList{}, client.InNamespace(ns))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Client.Create(t.Context(), configMap(ns, "a")); err != nil {
		t.Fatal(err)
	}
	select {
	case event := <-watch.ResultChan():
		if cm, ok := event.Object.(*corev1.ConfigMap); !ok || cm.Name != "a" {
			t.Errorf("got %v", event)
		}
	case <-time.After(time.Minute):
		t.Fatal("no event")
	}
	if got := p.Count("watch", "configmaps"); got != 1 {
		t.Errorf("got %d watches, want 1", got)
	}
	p.Stop()
	drain(t, watch.ResultChan())
	p.Stop()
}

func TestFaults(t *testing.T) {
	t.Parallel()
	w := SharedWorkload(t)
	for name, tc := range map[string]struct {
		given Fault
		want  func(error) bool
	}{
		"none": {nil, func(err error) bool { return err == nil }},
		"a refusal": {
			Answer(http.StatusForbidden, 0), apierrors.IsForbidden,
		},
		"a server that has too much to do": {
			Answer(http.StatusTooManyRequests, time.Hour), func(err error) bool {
				after, suggested := apierrors.SuggestsClientDelay(err)
				return errors.Is(err, context.DeadlineExceeded) || suggested && after == 3600
			},
		},
		"a connection that is lost": {
			Cut, func(err error) bool { return err != nil && apierrors.ReasonForError(err) == "" },
		},
		"a server that does not answer": {
			Hang, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := NewNamespace(t, w.APIServer)
			p := NewProxy(t, w.APIServer)
			c := clientOf(t, p)
			if tc.given != nil {
				p.SetFault(Only(Request.IsWrite, tc.given))
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if err := c.Create(ctx, configMap(ns, "a")); !tc.want(err) {
				t.Errorf("got %v", err)
			}
			if err := c.List(t.Context(), &corev1.ConfigMapList{}, client.InNamespace(ns)); err != nil {
				t.Errorf("what does not match does not pass: %v", err)
			}
			p.SetFault(nil)
			if err := c.Create(t.Context(), configMap(ns, "b")); err != nil {
				t.Errorf("without the fault: %v", err)
			}
		})
	}
}

func TestAnswerThatIsLost(t *testing.T) {
	t.Parallel()
	w := SharedWorkload(t)
	ns := NewNamespace(t, w.APIServer)
	p := NewProxy(t, w.APIServer)
	c := clientOf(t, p)
	p.SetFault(Only(Request.IsWrite, Lose))
	err := c.Create(t.Context(), configMap(ns, "a"))
	if err == nil || apierrors.ReasonForError(err) != "" {
		t.Errorf("got %v, want an error that is not the API server's", err)
	}
	if err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "a"}, &corev1.ConfigMap{}); err != nil {
		t.Errorf("the API server has not done it: %v", err)
	}
	if writes := p.Writes(); len(writes) != 1 || writes[0].Status != http.StatusCreated {
		t.Errorf("got %+v", writes)
	}
}

func TestProxyWantsACertificate(t *testing.T) {
	t.Parallel()
	p := NewProxy(t, SharedWorkload(t).APIServer)
	config := rest.CopyConfig(p.Config)
	config.CertData, config.KeyData = nil, nil
	anonymous, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	// How it fails is the client's race between writing and being told.
	if err := getOK(t.Context(), anonymous, p.Config.Host+"/version"); err == nil {
		t.Error("anybody may use it")
	}
	diff(t, "requests", []Request{}, p.Requests())
}

func TestProxyCutsWhenTheServerIsGone(t *testing.T) {
	t.Parallel()
	s := &APIServer{authority: must(newAuthority()), port: must(reservePort())}
	defer s.port.release()
	s.Config = must(s.ConfigFor("admin"))
	p := NewProxy(t, s)
	c := must(rest.HTTPClientFor(p.Config))
	if err := getOK(t.Context(), c, p.Config.Host+"/version"); err == nil {
		t.Error("the proxy responds although the server is stopped")
	}
	diff(t, "requests", []Request{{Verb: "get", Path: "/version"}}, p.Requests())
}

// clientOf returns a client by the proxy's kubeconfig.
func clientOf(t *testing.T, p *Proxy) client.WithWatch {
	t.Helper()
	config, err := clientcmd.RESTConfigFromKubeConfig(p.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestProxyClosesConnectionsAndTakesNewOnes(t *testing.T) {
	t.Parallel()
	w := SharedWorkload(t)
	ns := NewNamespace(t, w.APIServer)
	p := NewProxy(t, w.APIServer)
	c := clientOf(t, p)
	watch, err := c.Watch(t.Context(), &corev1.ConfigMapList{}, client.InNamespace(ns))
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	p.CloseConnections()
	for range watch.ResultChan() {
		t.Error("an event of a watch that ends with its connection")
	}
	if err := c.Create(t.Context(), configMap(ns, "a")); err != nil {
		t.Errorf("on a new connection: %v", err)
	}
}
