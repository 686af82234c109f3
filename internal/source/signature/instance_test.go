//go:build !no_sigstore

package signature_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"golang.org/x/crypto/cryptobyte"
)

const (
	issuer  = "https://accounts.example.com"
	subject = "release@example.com"
)

// instance is a Sigstore instance. The transparency log and the timestamp
// authority are those of sigstore-go's tests; the certificate authority and its
// log are our own, because those do not promise certificates.
type instance struct {
	*ca.VirtualSigstore
	root, intermediate *x509.Certificate
	issuerKey, ctKey   *ecdsa.PrivateKey
	now                time.Time
}

func newInstance(t testing.TB) *instance {
	t.Helper()
	virtual, err := ca.NewVirtualSigstore()
	if err != nil {
		t.Fatal(err)
	}
	rootCert, rootKey, err := ca.GenerateRootCa()
	if err != nil {
		t.Fatal(err)
	}
	intermediate, issuerKey, err := ca.GenerateFulcioIntermediate(rootCert, rootKey)
	if err != nil {
		t.Fatal(err)
	}
	ctKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &instance{virtual, rootCert, intermediate, issuerKey, ctKey, time.Now()}
}

// trusted is what a trusted root is made of.
type trusted struct {
	authority *root.FulcioCertificateAuthority
	rekor, ct map[string]*root.TransparencyLog
}

// trustedRoot returns the trusted root of the instance after an edit.
func (i *instance) trustedRoot(t testing.TB, edit func(*trusted)) []byte {
	t.Helper()
	rekor := slices.Collect(maps.Values(i.RekorLogs()))[0]
	parts := &trusted{
		authority: &root.FulcioCertificateAuthority{
			Root: i.root, Intermediates: []*x509.Certificate{i.intermediate},
			ValidityPeriodStart: i.now.Add(-time.Hour), ValidityPeriodEnd: i.now.Add(time.Hour),
		},
		rekor: i.log(t, rekor.BaseURL, rekor.PublicKey),
		ct:    i.log(t, "https://ct.localhost", i.ctKey.Public()),
	}
	edit(parts)
	var authorities []root.CertificateAuthority
	if parts.authority != nil {
		authorities = append(authorities, parts.authority)
	}
	tr, err := root.NewTrustedRoot(root.TrustedRootMediaType01, authorities, parts.ct,
		i.TimestampingAuthorities(), parts.rekor)
	if err != nil {
		t.Fatal(err)
	}
	return toJSON(t, tr)
}

func (i *instance) log(t testing.TB, url string, key crypto.PublicKey) map[string]*root.TransparencyLog {
	t.Helper()
	id := logID(t, key)
	return map[string]*root.TransparencyLog{hex.EncodeToString(id): {
		BaseURL: url, ID: id, HashFunc: crypto.SHA256, SignatureHashFunc: crypto.SHA256, PublicKey: key,
		ValidityPeriodStart: i.now.Add(-time.Hour), ValidityPeriodEnd: i.now.Add(time.Hour),
	}}
}

func logID(t testing.TB, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	id := sha256.Sum256(der)
	return id[:]
}

// keyless is a signer with a certificate of an instance.
type keyless struct {
	signer
	*instance
	leaf *x509.Certificate
	// at is when the log says that it saw the signature.
	at time.Time
}

// certify returns a signer whose certificate is for an e-mail address.
func (i *instance) certify(t testing.TB, subject, issuer string) keyless {
	t.Helper()
	k := keyless{signer: newSigner(t), instance: i, at: i.now.Add(time.Minute)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), EmailAddresses: []string{subject},
		NotBefore: i.now.Add(-time.Minute), NotAfter: i.now.Add(9 * time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: []pkix.Extension{{
			Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(issuer),
		}},
	}
	promise := i.promise(t, i.issue(t, template, k.key.Public()))
	template.ExtraExtensions = append(template.ExtraExtensions, promise)
	k.leaf = i.issue(t, template, k.key.Public())
	return k
}

func (i *instance) issue(t testing.TB, template *x509.Certificate, key crypto.PublicKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, i.intermediate, key, i.issuerKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// oidPromises identifies the extension of a certificate with the timestamps of logs
// (RFC 6962 section 3.3).
var oidPromises = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}

// promise returns the signed timestamp of the certificate transparency log for
// a certificate that is still without one (RFC 6962 section 3.2).
func (i *instance) promise(t testing.TB, precert *x509.Certificate) pkix.Extension {
	t.Helper()
	const v1, precertEntry, timestampSignature, sha256AndECDSA = 0, 1, 0, 0x0403
	at, issuer := uint64(i.now.UnixMilli()), sha256.Sum256(i.intermediate.RawSubjectPublicKeyInfo)
	signed := cryptobyte.NewBuilder([]byte{v1, timestampSignature})
	signed.AddUint64(at)
	signed.AddUint16(precertEntry)
	signed.AddBytes(issuer[:])
	signed.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(precert.RawTBSCertificate) })
	signed.AddUint16(0) // no extensions
	sum := sha256.Sum256(signed.BytesOrPanic())
	signature, err := i.ctKey.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	timestamp := cryptobyte.NewBuilder([]byte{v1})
	timestamp.AddBytes(logID(t, i.ctKey.Public()))
	timestamp.AddUint64(at)
	timestamp.AddUint16(0) // no extensions
	timestamp.AddUint16(sha256AndECDSA)
	timestamp.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(signature) })
	var list cryptobyte.Builder
	list.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(timestamp.BytesOrPanic()) })
	})
	value, err := asn1.Marshal(list.BytesOrPanic())
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: oidPromises, Value: value}
}

// certificate returns the certificate in PEM.
func (k keyless) certificate() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.leaf.Raw})
}

// entry returns the entry of the log with this body, with promise and proof.
func (k keyless) entry(t testing.TB, kind string, body []byte) *protorekor.TransparencyLogEntry {
	t.Helper()
	logs := k.RekorLogs()
	id := slices.Collect(maps.Keys(logs))[0]
	promise, err := k.RekorSignPayload(tlog.RekorPayload{
		Body: base64.StdEncoding.EncodeToString(body), IntegratedTime: k.at.Unix(), LogIndex: 0, LogID: id,
	})
	if err != nil {
		t.Fatal(err)
	}
	proof, err := k.GetInclusionProof(body)
	if err != nil {
		t.Fatal(err)
	}
	return &protorekor.TransparencyLogEntry{
		LogId:            &protocommon.LogId{KeyId: fromHex(id)},
		KindVersion:      &protorekor.KindVersion{Kind: kind, Version: "0.0.1"},
		IntegratedTime:   k.at.Unix(),
		InclusionPromise: &protorekor.InclusionPromise{SignedEntryTimestamp: promise},
		InclusionProof: &protorekor.InclusionProof{
			RootHash: fromHex(*proof.RootHash), TreeSize: *proof.TreeSize,
			Checkpoint: &protorekor.Checkpoint{Envelope: *proof.Checkpoint},
		},
		CanonicalizedBody: body,
	}
}

// hashed returns the log's entry for the signature of a message.
func (k keyless) hashed(t testing.TB, message, sig []byte) *protorekor.TransparencyLogEntry {
	t.Helper()
	body := fmt.Appendf(nil, `{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":`+
		`{"algorithm":"sha256","value":"%x"}},"signature":{"content":%q,"publicKey":{"content":%q}}}}`,
		sha256.Sum256(message), base64.StdEncoding.EncodeToString(sig),
		base64.StdEncoding.EncodeToString(k.certificate()))
	return k.entry(t, "hashedrekord", body)
}

// statement returns a bundle with an in-toto statement, its certificate, and the
// log's entry.
func (k keyless) statement(t testing.TB, statement []byte) *protobundle.Bundle {
	t.Helper()
	b := k.signer.statement(t, statement)
	envelope := b.GetDsseEnvelope()
	sig := envelope.GetSignatures()[0].GetSig()
	logged, err := k.GenerateTlogEntry(k.leaf, &dsse.Envelope{
		PayloadType: envelope.GetPayloadType(), Payload: base64.StdEncoding.EncodeToString(statement),
		Signatures: []dsse.Signature{{Sig: base64.StdEncoding.EncodeToString(sig)}},
	}, sig, k.at.Unix(), false)
	if err != nil {
		t.Fatal(err)
	}
	b.VerificationMaterial = k.material(k.entry(t, "dsse", logged.TransparencyLogEntry().GetCanonicalizedBody()))
	return b
}

// message returns a bundle with a signature of the content.
func (k keyless) message(t testing.TB, content string) *protobundle.Bundle {
	t.Helper()
	b := k.signer.message(t, content)
	sig := b.GetMessageSignature().GetSignature()
	b.VerificationMaterial = k.material(k.hashed(t, []byte(content), sig))
	return b
}

func (k keyless) material(entry *protorekor.TransparencyLogEntry) *protobundle.VerificationMaterial {
	return &protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_Certificate{
			Certificate: &protocommon.X509Certificate{RawBytes: k.leaf.Raw},
		},
		TlogEntries: []*protorekor.TransparencyLogEntry{entry},
	}
}

// simple returns a layer of simple signing with the annotations of cosign.
func (k keyless) simple(t testing.TB, payload []byte) simple {
	t.Helper()
	l := k.signer.simple(t, payload)
	sig, err := base64.StdEncoding.DecodeString(l.annotations[signatureAnnotation])
	if err != nil {
		t.Fatal(err)
	}
	entry := k.hashed(t, payload, sig)
	rekor, err := json.Marshal(map[string]any{
		"SignedEntryTimestamp": entry.GetInclusionPromise().GetSignedEntryTimestamp(),
		"Payload": map[string]any{
			"body": entry.GetCanonicalizedBody(), "integratedTime": entry.GetIntegratedTime(),
			"logIndex": entry.GetLogIndex(), "logID": hex.EncodeToString(entry.GetLogId().GetKeyId()),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return l.with(certificateAnnotation, string(k.certificate())).with(rekorAnnotation, string(rekor))
}
