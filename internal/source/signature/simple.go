//go:build !no_sigstore

package signature

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// Annotations of such a layer.
const (
	signatureAnnotation   = "dev.cosignproject.cosign/signature"
	certificateAnnotation = "dev.sigstore.cosign/certificate"
	rekorAnnotation       = "dev.sigstore.cosign/bundle"
	timestampAnnotation   = "dev.sigstore.cosign/rfc3161timestamp"
)

// simpleBundleType is the only version of bundles that is content with the
// promise of a log: simple signing has no proof of inclusion.
const simpleBundleType = "application/vnd.dev.sigstore.bundle+json;version=0.1"

// simpleBundle returns as a sigstore bundle what the annotations say about a
// payload, so that there is one way to verify both forms.
func simpleBundle(payload []byte, annotations map[string]string) (*bundle.Bundle, error) {
	sig, err := base64.StdEncoding.DecodeString(annotations[signatureAnnotation])
	if err != nil || len(sig) == 0 {
		return nil, annotationError(signatureAnnotation)
	}
	material, err := simpleMaterial(annotations)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(payload)
	entity, err := bundle.NewBundle(&protobundle.Bundle{
		MediaType:            simpleBundleType,
		VerificationMaterial: material,
		Content: &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
			MessageDigest: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: sum[:]},
			Signature:     sig,
		}},
	})
	if err != nil {
		return nil, invalidf("its annotations make no bundle: %s", text.Line(err.Error(), maxText))
	}
	return entity, nil
}

func simpleMaterial(annotations map[string]string) (*protobundle.VerificationMaterial, error) {
	material := &protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{}},
	}
	if text := annotations[certificateAnnotation]; text != "" {
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			return nil, annotationError(certificateAnnotation)
		}
		chain := []*protocommon.X509Certificate{{RawBytes: block.Bytes}}
		material.Content = &protobundle.VerificationMaterial_X509CertificateChain{
			X509CertificateChain: &protocommon.X509CertificateChain{Certificates: chain},
		}
	}
	if text := annotations[rekorAnnotation]; text != "" {
		entry, err := simpleEntry(text)
		if err != nil {
			return nil, annotationError(rekorAnnotation)
		}
		material.TlogEntries = []*protorekor.TransparencyLogEntry{entry}
	}
	if text := annotations[timestampAnnotation]; text != "" {
		var stamp struct{ SignedRFC3161Timestamp []byte }
		if err := json.Unmarshal([]byte(text), &stamp); err != nil {
			return nil, annotationError(timestampAnnotation)
		}
		material.TimestampVerificationData = &protobundle.TimestampVerificationData{
			Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp.SignedRFC3161Timestamp}},
		}
	}
	return material, nil
}

// simpleEntry returns the entry of the transparency log in the annotation.
func simpleEntry(text string) (*protorekor.TransparencyLogEntry, error) {
	var rekor struct {
		SignedEntryTimestamp []byte
		Payload              struct {
			Body           []byte `json:"body"`
			IntegratedTime int64  `json:"integratedTime"`
			LogIndex       int64  `json:"logIndex"`
			LogID          string `json:"logID"`
		}
	}
	if err := json.Unmarshal([]byte(text), &rekor); err != nil {
		return nil, err
	}
	var kind struct {
		Kind       string `json:"kind"`
		APIVersion string `json:"apiVersion"`
	}
	if err := json.Unmarshal(rekor.Payload.Body, &kind); err != nil {
		return nil, err
	}
	logID, err := hex.DecodeString(rekor.Payload.LogID)
	if err != nil {
		return nil, err
	}
	return &protorekor.TransparencyLogEntry{
		LogIndex:          rekor.Payload.LogIndex,
		LogId:             &protocommon.LogId{KeyId: logID},
		KindVersion:       &protorekor.KindVersion{Kind: kind.Kind, Version: kind.APIVersion},
		IntegratedTime:    rekor.Payload.IntegratedTime,
		InclusionPromise:  &protorekor.InclusionPromise{SignedEntryTimestamp: rekor.SignedEntryTimestamp},
		CanonicalizedBody: rekor.Payload.Body,
	}, nil
}

func annotationError(name string) error {
	return invalidf("its annotation %s is missing or cannot be read", name)
}
