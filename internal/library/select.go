package library

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/edit"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

// Select chooses, as release.Select does, the release of a Bundle that a workload
// cluster gets. It is one that can be opened, so that a tag that moved to what cannot
// be fetched or read is not chosen, one that passes the validation of the Bundle, and one
// that the edits of the set fit: its errors are also those of Open and of CheckFindings.
func (l *Library) Select(bundle *v1alpha1.Bundle, q release.Query) (release.Selection, error) {
	owner := types.NamespacedName{Namespace: bundle.Namespace, Name: bundle.Name}
	q.Bundle = bundle.Spec
	q.Digest = func(candidate v1alpha1.Release) (v1alpha1.Digest, error) {
		opened, err := l.Open(owner, candidate, q.Kubernetes)
		if err != nil {
			return "", err
		}
		if _, err := edit.New(q.Edits, edit.DefinitionsOf(candidate)); err != nil {
			return "", err
		}
		return opened.Digest, opened.CheckFindings(bundle.Spec.Validation)
	}
	return release.Select(q)
}
