//go:build !no_sigstore

package signature

import (
	"crypto/x509"
	"encoding/hex"
	"slices"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// explain returns why a signature with a certificate was refused with err, in the
// words of who has to do something about it. It decides nothing.
func (t *identityTrust) explain(s *signed, leaf *x509.Certificate, err error) string {
	entries, entriesErr := s.entity.TlogEntries()
	if entriesErr != nil {
		return text.Line(err.Error(), maxText)
	}
	if len(entries) == 0 {
		return "it has no entry of a transparency log"
	}
	known := slices.DeleteFunc(entries, func(e *tlog.Entry) bool { return t.log(e) == nil })
	if len(known) == 0 {
		return "no transparency log of the trusted root has an entry for it"
	}
	for _, entry := range known {
		if why := t.explainTime(leaf, t.log(entry), entry.IntegratedTime()); why != "" {
			return why
		}
	}
	stamps, _, _ := verify.VerifySignedTimestamp(s.entity, t.root)
	for _, stamp := range stamps {
		if why := t.explainTime(leaf, nil, stamp.Time); why != "" {
			return why
		}
	}
	return text.Line(err.Error(), maxText)
}

// explainTime returns what had expired, or was not valid yet, at the time of the
// signature. A zero time is unknown.
func (t *identityTrust) explainTime(leaf *x509.Certificate, log *root.TransparencyLog, at time.Time) string {
	if at.IsZero() {
		return ""
	}
	if log != nil {
		if why := outside(at, log.ValidityPeriodStart, log.ValidityPeriodEnd); why != "" {
			return "the trusted root's key of the transparency log " + why + " when it was used"
		}
	}
	if why := outside(at, leaf.NotBefore, leaf.NotAfter); why != "" {
		return "the certificate " + why + " when it was used"
	}
	var reason string
	for _, authority := range t.root.FulcioCertificateAuthorities() {
		ca, ok := authority.(*root.FulcioCertificateAuthority)
		if !ok || !issued(ca, leaf) {
			continue
		}
		why := authorityOutside(ca, at)
		if why == "" {
			return ""
		}
		reason = "the trusted root's certificate authority " + why + " when it was used"
	}
	return reason
}

// log returns the log of the trusted root that the entry is of, nil without one.
func (t *identityTrust) log(e *tlog.Entry) *root.TransparencyLog {
	return t.root.RekorLogs()[hex.EncodeToString([]byte(e.LogKeyID()))]
}

// issued reports whether ca signed the certificate.
func issued(ca *root.FulcioCertificateAuthority, leaf *x509.Certificate) bool {
	return slices.ContainsFunc(append(slices.Clone(ca.Intermediates), ca.Root), func(c *x509.Certificate) bool {
		return leaf.CheckSignatureFrom(c) == nil
	})
}

func authorityOutside(ca *root.FulcioCertificateAuthority, at time.Time) string {
	if why := outside(at, ca.ValidityPeriodStart, ca.ValidityPeriodEnd); why != "" {
		return why
	}
	for _, c := range append(slices.Clone(ca.Intermediates), ca.Root) {
		if why := outside(at, c.NotBefore, c.NotAfter); why != "" {
			return why
		}
	}
	return ""
}

// outside describes how a time lies outside of a period, of which zero ends are open.
func outside(at, start, end time.Time) string {
	switch {
	case !end.IsZero() && at.After(end):
		return "had expired"
	case !start.IsZero() && at.Before(start):
		return "was not valid yet"
	}
	return ""
}
