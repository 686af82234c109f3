package oci

import (
	"context"
	"net/http"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// Do answers a request of the library with a response whose body is bounded, or
// with an error for every status but success: the library's own words would
// repeat what the registry wrote.
func (r *repository) Do(req *http.Request) (*http.Response, error) {
	resp, err := r.exchange(req)
	if err != nil {
		return nil, err
	}
	resp.Body = httpclient.Limit(resp.Body, 0, r.cfg.MaxManifest)
	resp.Request = req // links are relative to it, and messages name it
	return resp, nil
}

// exchange sends req as the session's identity and returns the response if its
// status is success. Its body ends with an error when it stalls.
func (r *repository) exchange(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	resp, err := r.authorized(req.WithContext(ctx))
	if err == nil {
		if err = r.check(req.URL, resp); err != nil {
			_ = resp.Body.Close()
		}
	}
	if err != nil {
		cancel(context.Canceled)
		return nil, httpclient.Failed(err)
	}
	resp.Body = httpclient.NewBody(ctx, resp.Body, r.cfg.pace(), cancel)
	return resp, nil
}
