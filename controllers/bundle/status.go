package bundle

import (
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	library "github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/bundle"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/outcome"
)

// maxImages is the bound of the list in the API.
const maxImages = 256

// statusOf says what is known of a release: opened, or why it is not.
func statusOf(r v1alpha1.Release, opened *library.Bundle, err error) v1alpha1.ReleaseStatus {
	status := v1alpha1.ReleaseStatus{Version: r.Version}
	if err != nil {
		status.Message = outcome.Message(err.Error())
	}
	if opened == nil {
		return status
	}
	status.Digest = opened.Digest
	status.Objects = int32(opened.Plan.Objects()) //nolint:gosec // at most 10,000 by the limits
	status.CRDs = int32(opened.Plan.CRDs())       //nolint:gosec // at most 10,000 by the limits
	status.Bytes = opened.Bytes
	images := opened.Plan.Images()
	if len(images) > maxImages {
		status.Message = "the release names more images than are listed here"
		images = images[:maxImages]
	}
	status.Images = images
	return status
}
