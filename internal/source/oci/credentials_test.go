package oci_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
)

const dockerType = "kubernetes.io/dockerconfigjson"

func auth(user string) string { return base64.StdEncoding.EncodeToString([]byte(user)) }

func TestTheLoginWithTheLongestPrefixIsUsed(t *testing.T) {
	t.Parallel()
	config := fmt.Sprintf(`{"auths":{
		"https://index.docker.io/v1/": {"auth":%q},
		"ghcr.io": {"username":"all of it","password":"hunter2"},
		"ghcr.io/example": {"auth":%q},
		"https://ghcr.io/v2/example/calico": {"username":"calico","password":"hunter2"},
		"*.example.com": {"username":"pattern","password":"hunter2"},
		"exact.example.com": {"username":"exact","password":"hunter2"},
		"example.com:5000": {"username":"port","password":"hunter2"},
		"[bad": {"username":"bad","password":"hunter2"},
		"": {"username":"empty","password":"hunter2"}
	}}`, auth("docker:hunter2"), auth("example:hunter2:with a colon"))
	creds, err := oci.CredentialsFrom("ghcr.io", dockerType, map[string][]byte{".dockerconfigjson": []byte(config)})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ given, want string }{
		"a host":                        {"ghcr.io/other", "all of it"},
		"a host in capitals":            {"GHCR.io/other", "all of it"},
		"a path":                        {"ghcr.io/example/cilium", "example"},
		"a longer path":                 {"ghcr.io/example/calico", "calico"},
		"what begins like a path":       {"ghcr.io/example-of-others/calico", "all of it"},
		"a pattern":                     {"other.example.com/a", "pattern"},
		"a host before a pattern":       {"exact.example.com/a", "exact"},
		"a pattern of one label only":   {"a.b.example.com/a", ""},
		"a host with its port":          {"example.com:5000/a", "port"},
		"a host with another port":      {"example.com:5001/a", ""},
		"a host without the port":       {"example.com/a", ""},
		"a host with a port of its own": {"ghcr.io:8443/example/calico", ""},
		"Docker Hub":                    {"docker.io/library/a", "docker"},
		"Docker Hub by its other name":  {"registry-1.docker.io/library/a", "docker"},
		"a host that is not there":      {"quay.io/a", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := creds.LoginFor(t, tc.given); got != tc.want {
				t.Errorf("want %q, got %q", tc.want, got)
			}
		})
	}
}

func TestCredentialsOfASecret(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenType string
		given     map[string]string
		want      []map[string]string
	}{
		"a login": {
			given: map[string]string{"username": "jane", "password": "hunter2"},
			want:  []map[string]string{{"prefix": "ghcr.io", "user": "jane", "password": "hunter2"}},
		},
		"a token": {
			given: map[string]string{"token": "hunter2\n"},
			want:  []map[string]string{{"prefix": "ghcr.io", "registry": "hunter2"}},
		},
		"a docker config": {
			givenType: dockerType,
			given: map[string]string{".dockerconfigjson": `{"auths":{
				"b.io":{"auth":"` + auth("jane:hunter2\x00\x00") + `"},
				"a.io/":{"registrytoken":"r","identitytoken":"i"}},"credsStore":"x"}`},
			want: []map[string]string{
				{"prefix": "a.io", "registry": "r", "identity": "i"},
				{"prefix": "b.io", "user": "jane", "password": "hunter2"},
			},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			creds, err := oci.CredentialsFrom("ghcr.io", tc.givenType, secretOf(tc.given))
			if err != nil {
				t.Fatal(err)
			}
			var got []map[string]string
			for _, l := range creds.Logins {
				fields := map[string]string{
					"prefix": l.Prefix, "user": l.Username, "password": l.Password,
					"registry": l.RegistryToken, "identity": l.IdentityToken,
				}
				for key, value := range fields {
					if value == "" {
						delete(fields, key)
					}
				}
				got = append(got, fields)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("logins (-want +got):\n%s", diff)
			}
			if creds.ClientCertificate != nil || creds.RootCAs != nil {
				t.Error("want no certificates")
			}
		})
	}
}

func TestCredentialsWithoutASecretAreEmpty(t *testing.T) {
	t.Parallel()
	creds, err := oci.CredentialsFrom("ghcr.io", "", nil)
	if err != nil || creds.Logins != nil || creds.ClientCertificate != nil || creds.RootCAs != nil {
		t.Errorf("want nothing, got %v, %v", creds, err)
	}
}

func TestASecretMayHoldACertificateAndAuthorities(t *testing.T) {
	t.Parallel()
	one, key, _ := clientCertificate(t)
	secret := secretOf(map[string]string{"tls.crt": one, "tls.key": key, "ca.crt": one})
	got, err := oci.CredentialsFrom("a.io", "", secret)
	if err != nil || got.ClientCertificate == nil || got.RootCAs == nil {
		t.Errorf("want a certificate and authorities, got %v", err)
	}
}

func TestSecretsThatAreRefused(t *testing.T) {
	t.Parallel()
	certificate, key, _ := clientCertificate(t)
	_, otherKey, _ := clientCertificate(t)
	docker := func(config string) map[string]string { return map[string]string{".dockerconfigjson": config} }
	tests := map[string]struct {
		givenType string
		given     map[string]string
		want      string
	}{
		"nothing": {
			given: map[string]string{"other": secret}, want: "none of the keys .dockerconfigjson, username,",
		},
		"no password": {
			given: map[string]string{"username": secret}, want: "only one of the keys username and password",
		},
		"no username": {
			given: map[string]string{"password": secret}, want: "only one of the keys username and password",
		},
		"a login and a token": {
			given: map[string]string{"username": "x", "password": secret, "token": secret}, want: "both the keys",
		},
		"a token of two lines": {
			given: map[string]string{"token": secret + "\r\nX-Header: y"}, want: "the key token",
		},
		"a certificate alone": {given: map[string]string{"tls.crt": certificate}, want: "tls.crt and tls.key"},
		"a key alone":         {given: map[string]string{"tls.key": key}, want: "tls.crt and tls.key"},
		"another's key": {
			given: map[string]string{"tls.crt": certificate, "tls.key": otherKey}, want: "tls.crt and tls.key",
		},
		"no certificate": {
			given: map[string]string{"tls.crt": secret, "tls.key": secret}, want: "tls.crt and tls.key",
		},
		"no authorities": {
			given: map[string]string{"ca.crt": secret}, want: "the key ca.crt holds no certificate",
		},
		"a config that is missing": {
			givenType: dockerType, given: map[string]string{"username": "x", "password": secret}, want: "not a docker config",
		},
		"a config that is not JSON": {givenType: dockerType, given: docker(secret), want: "not a docker config"},
		"a config of another form": {
			givenType: dockerType, given: docker(`{"auths":["hunter2"]}`), want: "not a docker config",
		},
		"a config without entries": {
			givenType: dockerType, given: docker(`{"auths":{}}`), want: "0 registries, not 1 to 1000",
		},
		"a config of too many": {
			givenType: dockerType, given: docker(manyAuths(1001)), want: "1001 registries, not 1 to 1000",
		},
		"an auth that is not base64": {
			givenType: dockerType, given: docker(`{"auths":{"a":{"auth":"hunter2!"}}}`), want: "not a user and a password",
		},
		"an auth without a colon": {
			givenType: dockerType, given: docker(`{"auths":{"a":{"auth":"` + auth(secret) + `"}}}`),
			want: "not a user and a password",
		},
		"a registry token of two lines": {
			givenType: dockerType, given: docker(`{"auths":{"a":{"registrytoken":"hunter2\nX: y"}}}`), want: "cannot be sent",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := oci.CredentialsFrom("ghcr.io", tc.givenType, secretOf(tc.given))
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.ReferenceInvalidReason, tc.want)
			if len(got.Logins) > 0 {
				t.Error("want nothing beside the error")
			}
		})
	}
}

// secretOf returns the content of a Secret, nil for none.
func secretOf(keys map[string]string) map[string][]byte {
	if keys == nil {
		return nil
	}
	content := map[string][]byte{}
	for key, value := range keys {
		content[key] = []byte(value)
	}
	return content
}

func manyAuths(n int) string {
	entries := make([]string, n)
	for i := range entries {
		entries[i] = fmt.Sprintf(`"r%d.io":{}`, i)
	}
	return `{"auths":{` + strings.Join(entries, ",") + `}}`
}

func TestCredentialsDoNotPrint(t *testing.T) {
	t.Parallel()
	login := oci.Login{Username: secret, Password: secret, IdentityToken: secret, RegistryToken: secret}
	creds := oci.Credentials{Logins: []oci.Login{login}}
	encoded, err := json.Marshal(map[string]any{"c": creds, "p": &creds, "l": login})
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{string(encoded), creds.String(), login.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, creds), fmt.Sprintf(verb, &creds), fmt.Sprintf(verb, login),
			fmt.Sprintf(verb, struct{ C oci.Credentials }{creds}), fmt.Sprintf(verb, []oci.Login{login}))
	}
	for _, text := range texts {
		hex := fmt.Sprintf("%x", secret)
		if strings.Contains(text, secret) || strings.Contains(text, hex) || !strings.Contains(text, "[redacted]") {
			t.Errorf("want only a placeholder, got %s", text)
		}
	}
}
