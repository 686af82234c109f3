package oci

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

const (
	// maxTokenAnswer bounds what a token server answers, in bytes.
	maxTokenAnswer = 128 << 10
	// clientID names us to token servers that speak OAuth 2.
	clientID = "cluster-api-addon-provider-bundle"
)

// challengeParameter is one parameter of a WWW-Authenticate header.
var challengeParameter = regexp.MustCompile(`([a-zA-Z]+)="([^"]*)"`)

// challenge is how a registry asks for authentication (RFC 9110 section 11.6.1).
type challenge struct {
	scheme                string
	realm, service, scope string
}

// challengeOf returns the challenge of a header. One for a bearer token goes
// before another one.
func challengeOf(header http.Header) challenge {
	var best challenge
	for _, value := range header.Values("WWW-Authenticate") {
		scheme, parameters, _ := strings.Cut(strings.TrimSpace(value), " ")
		c := challenge{scheme: strings.ToLower(scheme)}
		for _, match := range challengeParameter.FindAllStringSubmatch(parameters, -1) {
			switch strings.ToLower(match[1]) {
			case "realm":
				c.realm = match[2]
			case "service":
				c.service = match[2]
			case "scope":
				c.scope = match[2]
			}
		}
		if best.scheme == "" || c.scheme == "bearer" {
			best = c
		}
	}
	return best
}

// authorize returns the value of Authorization that answers a challenge, or ""
// when there is nothing to answer with.
//
// It is not the flow of the library, which refuses token servers with private
// addresses: that is where the registry of an isolated network has its own.
// Addresses are refused by Config.Dial, for token servers as for all others.
func (r *repository) authorize(ctx context.Context, c challenge) (string, error) {
	login := r.identity.login
	switch {
	case c.scheme == "basic" && login.Username != "":
		return basic(login), nil
	case c.scheme == "bearer" && login.RegistryToken != "":
		return "Bearer " + login.RegistryToken, nil
	case c.scheme == "bearer":
		token, err := r.fetchToken(ctx, c)
		if err != nil {
			return "", err
		}
		return "Bearer " + token, nil
	}
	return "", nil
}

func basic(l Login) string { return httpclient.BasicAuth(l.Username, l.Password) }

// fetchToken asks the token server for a token to pull from the repository.
func (r *repository) fetchToken(ctx context.Context, c challenge) (string, error) {
	realm, err := r.realmOf(c)
	if err != nil {
		return "", err
	}
	who := "token server " + httpclient.Origin(realm)
	req, authorization, err := r.tokenRequest(ctx, realm, c)
	if err != nil {
		return "", err
	}
	got, err := r.follow(req, authorization)
	if err != nil {
		return "", fmt.Errorf("%s: %w", who, err)
	}
	defer func() { _ = got.Body.Close() }()
	switch got.StatusCode {
	case http.StatusOK:
		token, err := readToken(got.Body)
		if err != nil {
			return "", fmt.Errorf("%s: %w", who, httpclient.Sanitize(ctx, err))
		}
		return token, nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return "", r.refused("the "+who, got.StatusCode)
	}
	return "", fault.Wrap(who, statusFault(got, r.now()))
}

// realmOf returns the URL of the token server that a challenge names. Behind a
// registry with TLS it must have TLS too: it is sent the password.
func (r *repository) realmOf(c challenge) (*url.URL, error) {
	realm, err := url.Parse(c.realm)
	if err != nil || realm.Host == "" || realm.User != nil || !httpclient.IsHTTP(realm) {
		return nil, errors.New("the registry names a token server that is not a URL")
	}
	if realm.Scheme != "https" && r.identity.scheme == "https" {
		return nil, fault.Stallf(v1alpha1.SourceDeniedReason,
			"the registry names a token server without TLS, %s", httpclient.Origin(realm))
	}
	return realm, nil
}

// tokenRequest returns the request for a token, by OAuth 2 with an identity
// token and else by the specification of distribution, and its Authorization.
func (r *repository) tokenRequest(ctx context.Context, realm *url.URL, c challenge) (*http.Request, string, error) {
	login, scope := r.identity.login, cmp.Or(c.scope, "repository:"+r.name+":pull")
	if login.IdentityToken != "" {
		form := url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {login.IdentityToken},
			"service": {c.service}, "scope": {scope}, "client_id": {clientID},
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, realm.String(), strings.NewReader(form.Encode()))
		if err != nil {
			return nil, "", errors.New("the registry names a token server that is not a URL")
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return req, "", nil
	}
	query := realm.Query()
	if c.service != "" {
		query.Set("service", c.service)
	}
	for one := range strings.FieldsSeq(scope) {
		query.Add("scope", one)
	}
	asked := *realm
	asked.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, asked.String(), http.NoBody)
	if err != nil {
		return nil, "", errors.New("the registry names a token server that is not a URL")
	}
	if login.Username == "" {
		return req, "", nil
	}
	return req, basic(login), nil
}

// readToken returns the token of a token server's answer.
func readToken(body io.Reader) (string, error) {
	content, err := io.ReadAll(io.LimitReader(body, maxTokenAnswer+1))
	if err != nil {
		return "", err
	}
	if len(content) > maxTokenAnswer {
		return "", fmt.Errorf("the answer is larger than the limit of %d bytes", maxTokenAnswer)
	}
	var parsed struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
	}
	// The error of the decoder may repeat a part of the content.
	if json.Unmarshal(content, &parsed) != nil {
		return "", errors.New("the answer is not JSON")
	}
	token := cmp.Or(parsed.AccessToken, parsed.Token)
	if token == "" || !httpclient.IsHeaderText(token) {
		return "", errors.New("the answer has no token that can be sent")
	}
	return token, nil
}
