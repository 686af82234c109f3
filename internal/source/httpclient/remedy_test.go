package httpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

func TestRemediesOfErrors(t *testing.T) {
	t.Parallel()
	remedies := Remedies{NoTLS: "leave it out", TLS: "use it", Authority: "name it"}
	noTLS := tls.RecordHeaderError{Msg: "no TLS"}
	unknown := x509.UnknownAuthorityError{}
	tests := map[string]struct {
		givenScheme string
		given       error
		want        string
	}{
		"plain HTTP where TLS is spoken":     {"https", noTLS, "tls: no TLS: the server speaks no TLS: leave it out"},
		"an authority that is not known":     {"https", unknown, "x509: certificate signed by unknown authority: name it"},
		"an answer that is no HTTP":          {"http", errors.New("malformed"), "malformed: it may speak TLS: use it"},
		"with TLS, an answer that is none":   {"https", errors.New("malformed"), "malformed"},
		"a connection that is refused":       {"http", &net.OpError{Op: "dial", Err: os.ErrPermission}, "dial: permission denied"},
		"a name that is not known":           {"http", &net.DNSError{Err: "x", Name: "a"}, "lookup a: x"},
		"an answer that takes too long":      {"http", context.DeadlineExceeded, "context deadline exceeded"},
		"a download that is given up":        {"http", ErrTooLong, ErrTooLong.Error()},
		"an error that has a class":          {"http", fault.Stall("Bad", errors.New("bad")), "bad"},
		"a request that is not wanted again": {"http", context.Canceled, "context canceled"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := remedies.OfError(test.givenScheme, test.given)
			if got.Error() != test.want || !errors.Is(got, test.given) && test.givenScheme == "http" {
				t.Errorf("want %q, got %q", test.want, got)
			}
			if none := (Remedies{}).OfError(test.givenScheme, test.given); none.Error() != test.given.Error() {
				t.Errorf("without remedies: want %q, got %q", test.given, none)
			}
		})
	}
}

func TestRemediesOfAStatus(t *testing.T) {
	t.Parallel()
	remedies, answered := Remedies{TLS: "use it"}, errors.New("400")
	if got := remedies.OfStatus("http", 400, answered).Error(); got != "400: it may speak TLS: use it" {
		t.Errorf("plain HTTP: got %q", got)
	}
	if got := remedies.OfStatus("https", 400, answered); !errors.Is(got, answered) || got.Error() != "400" {
		t.Errorf("TLS: got %q", got)
	}
	if got := remedies.OfStatus("http", 404, answered).Error(); got != "400" {
		t.Errorf("another status: got %q", got)
	}
}
