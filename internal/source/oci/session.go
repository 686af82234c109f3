package oci

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

const maxSessions = 64

// session is one identity at one registry: connections and tokens are never
// shared between two.
type session struct {
	cfg      *Config
	identity identity
	now      func() time.Time

	// own is for the registry, and others is for where it leads: they are not
	// shown the client certificate.
	own, others *http.Transport

	tokens *tokens
	// current are the settings of the client.
	current *atomic.Pointer[Settings]
}

// identity distinguishes sessions.
type identity struct {
	scheme, host string
	login        Login
	roots        *x509.CertPool
	certificate  *tls.Certificate
}

func (i identity) equal(o identity) bool {
	return i.scheme == o.scheme && i.host == o.host && i.login == o.login &&
		i.roots.Equal(o.roots) && sameCertificate(i.certificate, o.certificate)
}

func sameCertificate(a, b *tls.Certificate) bool {
	if a == nil || b == nil {
		return a == b
	}
	return slices.EqualFunc(a.Certificate, b.Certificate, bytes.Equal)
}

// repository is one repository as one identity sees it.
type repository struct {
	*session
	endpoint endpoint
	name     string
	creds    Credentials
	penalize func()
}

func (c *Client) repository(e endpoint, creds Credentials) *repository {
	i := identity{scheme: e.scheme(), host: e.ref.Host(), roots: e.roots}
	if !e.plain {
		i.login = creds.loginFor(e.ref)
	}
	if !e.mirror {
		i.roots, i.certificate = creds.RootCAs, creds.ClientCertificate
	}
	return &repository{
		session: c.session(i), endpoint: e, name: e.ref.Repository, creds: creds, penalize: func() { c.penalize(e) },
	}
}

// session returns the session of i, the most recently used at the end.
func (c *Client) session(i identity) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.IndexFunc(c.sessions, func(s *session) bool { return s.identity.equal(i) })
	if at >= 0 {
		found := c.sessions[at]
		c.sessions = append(slices.Delete(c.sessions, at, at+1), found)
		return found
	}
	if len(c.sessions) >= maxSessions {
		c.sessions[0].own.CloseIdleConnections()
		c.sessions[0].others.CloseIdleConnections()
		c.sessions = slices.Delete(c.sessions, 0, 1)
	}
	s := &session{
		cfg: &c.cfg, identity: i, now: c.now, own: newTransport(c.cfg, i), tokens: &tokens{}, current: &c.current,
	}
	i.certificate = nil
	s.others = newTransport(c.cfg, i)
	c.sessions = append(c.sessions, s)
	return s
}

func newTransport(cfg Config, i identity) *http.Transport {
	return httpclient.NewTransport(httpclient.Transport{
		Dial:           cfg.Dial,
		Proxy:          cfg.Proxy,
		RootCAs:        i.roots,
		Certificate:    i.certificate,
		ConnectTimeout: cfg.ConnectTimeout,
		HeaderTimeout:  cfg.HeaderTimeout,
	})
}

// transportTo returns the transport for requests to u.
func (s *session) transportTo(u *url.URL) *http.Transport {
	if httpclient.SameOrigin(u, &url.URL{Scheme: s.identity.scheme, Host: s.identity.host}) {
		return s.own
	}
	return s.others
}
