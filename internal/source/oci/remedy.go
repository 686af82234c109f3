package oci

import (
	"fmt"
	"net/http"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// refused returns the error of a registry or token server, who, that denied access.
func (r *repository) refused(who string, code int) error {
	status := httpclient.StatusText(code)
	switch {
	case r.endpoint.plain:
		return statusFailed(code, fmt.Sprintf("%s requires credentials (%s), and none are sent without TLS", who, status))
	case r.identity.login == (Login{}) && r.creds.Secret == "":
		return statusFailed(code, fmt.Sprintf("%s requires credentials (%s), and there are none for it: "+
			"name a Secret with them in secretRef, or check the repository", who, status))
	case r.identity.login == (Login{}):
		return statusFailed(code, fmt.Sprintf("%s requires credentials (%s), and %s of secretRef has none for %s: "+
			"add them, or check the repository", who, status, r.creds.owner(), r.endpoint))
	case r.creds.Secret == "":
		return statusFailed(code, fmt.Sprintf("%s refused the credentials (%s)", who, status))
	case code == http.StatusForbidden:
		return statusFailed(code, fmt.Sprintf("%s refused the credentials of %s (%s): they may not pull from this repository",
			who, r.creds.owner(), status))
	}
	return statusFailed(code, fmt.Sprintf("%s refused the credentials of %s (%s)", who, r.creds.owner(), status))
}

// remedies returns what helps where the registry or the mirror and we do not agree
// about TLS.
func (r *repository) remedies() httpclient.Remedies {
	if r.endpoint.mirror {
		return httpclient.Remedies{
			NoTLS:     "begin the endpoint in registries.mirrors of the manager's configuration with http://",
			TLS:       "begin the endpoint in registries.mirrors of the manager's configuration with https://",
			Authority: "name its authority as ca of the mirror in registries.mirrors of the manager's configuration",
		}
	}
	remedies := httpclient.Remedies{
		NoTLS: "set insecure: true and a digest in the source", TLS: "remove insecure from the source",
		Authority: "name a Secret with its authority, key ca.crt, in caRef",
	}
	if r.creds.RootCAsSecret != "" {
		remedies.Authority = "it is none of those in Secret " + r.creds.RootCAsSecret + ", key ca.crt"
	}
	return remedies
}
