package httpclient

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func secretOf(data map[string]string) map[string][]byte {
	secret := map[string][]byte{}
	for key, value := range data {
		secret[key] = []byte(value)
	}
	return secret
}

func TestTheLoginOfASecretIsSentAsItsHeader(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given map[string]string
		want  string
	}{
		"nothing":               {nil, ""},
		"a user":                {map[string]string{"username": "u", "password": "hunter2"}, "Basic dTpodW50ZXIy"},
		"a token with its line": {map[string]string{"token": "hunter2\n"}, "Bearer hunter2"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := AccessFrom(secretOf(tc.given))
			if err != nil || got.Authorization() != tc.want || got.IsEmpty() != (tc.want == "") {
				t.Errorf("want %q, got %q, empty %t, %v", tc.want, got.Authorization(), got.IsEmpty(), err)
			}
		})
	}
}

func TestSecretsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given map[string]string
		want  string
	}{
		"no password":          {map[string]string{"username": "hunter2"}, "only one of the keys username and password"},
		"a user and a token":   {map[string]string{"username": "u", "password": "hunter2", "token": "t"}, "both the keys"},
		"a token of two lines": {map[string]string{"token": "hunter2\r\nX-Header: y"}, "the key token"},
		"no certificate":       {map[string]string{"tls.crt": "hunter2", "tls.key": "hunter2"}, "tls.crt and tls.key"},
		"empty authorities":    {map[string]string{"ca.crt": ""}, "the key ca.crt holds no certificate"},
		"no authorities":       {map[string]string{"ca.crt": "hunter2"}, "the key ca.crt holds no certificate"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := AccessFrom(secretOf(tc.given))
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.ReferenceInvalidReason, tc.want)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("want nothing of the content in %q", err)
			}
		})
	}
	_, err := RootCAsFrom(nil)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ReferenceInvalidReason, "no key ca.crt")
}

func TestAnAccessIsNotPrinted(t *testing.T) {
	t.Parallel()
	access := Access{Username: "u", Password: "hunter2", Token: "hunter2"}
	encoded, err := json.Marshal(access)
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%v %+v %#v %s %s", access, access, access, access, encoded)
	if strings.Contains(printed, "hunter2") || strings.Count(printed, Redacted) != 5 {
		t.Errorf("want a placeholder, got %s", printed)
	}
}
