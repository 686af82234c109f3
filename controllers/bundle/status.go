package bundle

import (
	"slices"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

// The bounds of the lists in the API.
const (
	maxImages    = 256
	maxSigners   = 64
	maxArtifacts = 64
)

// statusOf returns the status of a release: of its content if it is opened, else
// why it is not.
func statusOf(r v1alpha1.Release, opened *library.Bundle, err error) v1alpha1.ReleaseStatus {
	result := v1alpha1.ReleaseStatus{Version: r.Version}
	if err != nil {
		result.Message = status.Message(err.Error())
	}
	if opened == nil {
		return result
	}
	result.Digest = opened.Digest
	result.Objects = int32(opened.Plan.Objects()) //nolint:gosec // at most 10,000 by the limits
	result.CRDs = int32(opened.Plan.CRDs())       //nolint:gosec // at most 10,000 by the limits
	result.Bytes = opened.Bytes
	images := imagesOf(r, opened)
	if len(images) > maxImages {
		result.Message = "the release names more images than are listed here"
		images = images[:maxImages]
	}
	result.Images = images
	result.Warnings = opened.Warnings
	result.VerifiedBy = opened.VerifiedBy
	if len(result.VerifiedBy) > maxSigners {
		result.Message = "the release is signed by more than are listed here"
		result.VerifiedBy = result.VerifiedBy[:maxSigners]
	}
	result.Artifacts = opened.Artifacts
	if len(result.Artifacts) > maxArtifacts {
		result.Message = "the release is made of more artifacts than are listed here"
		result.Artifacts = result.Artifacts[:maxArtifacts]
	}
	return result
}

// imagesOf returns what the pod templates of a release name and what the Bundle
// names beside them, sorted and unique.
func imagesOf(r v1alpha1.Release, opened *library.Bundle) []string {
	images := slices.Concat(opened.Plan.Images(), r.ExtraImages)
	slices.Sort(images)
	return slices.Compact(images)
}
