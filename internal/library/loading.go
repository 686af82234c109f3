package library

import (
	"cmp"
	"slices"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/edit"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
)

// indices returns the index of every part of the release, phase by phase, or the errors
// of the parts without one.
func (o *releases) indices(owner types.NamespacedName, r resolved) (*loading, error) {
	l := &loading{
		releases: o, owner: owner, edit: r.edit, check: edit.NewCheck(r.definitions),
		known: map[string]partIndex{}, inputs: make([]plan.Input, len(r.phases)),
	}
	var errs []error
	for i, phase := range r.phases {
		l.inputs[i].Name = phase.name
		for _, part := range phase.parts {
			index, err := l.index(part)
			if err := l.overLimit(); err != nil {
				return nil, err
			}
			errs = append(errs, fault.Wrap("phase "+phase.name, err))
			namespace := phase.namespaceOf(part)
			l.inputs[i].Blobs = append(l.inputs[i].Blobs, plan.Blob{
				Digest: part.ID(), Namespace: namespace, Entries: l.delivered(index.Entries, namespace), GivesWay: part.GivesWay,
			})
		}
	}
	return l, cmp.Or(fault.Join(errs...), l.check.Err())
}

// delivered returns the entries without those of objects that are left out, and shows all
// of them to the check of the release.
func (l *loading) delivered(entries []manifest.Entry, namespace string) []manifest.Entry {
	namespace = cmp.Or(namespace, plan.DefaultNamespace)
	for _, entry := range entries {
		l.check.See(entry.Ref, namespace)
	}
	isLeftOut := func(entry manifest.Entry) bool { return l.edit.LeavesOut(entry.Ref, namespace) }
	if !slices.ContainsFunc(entries, isLeftOut) {
		return entries
	}
	return slices.DeleteFunc(slices.Clone(entries), isLeftOut)
}

// loading is a release whose indices are being read: each once, and no more of them than
// the limits of a release have room for.
type loading struct {
	*releases

	owner    types.NamespacedName
	edit     edit.Edit
	check    *edit.Check
	known    map[string]partIndex // by Part.ID
	edited   []digest.Digest      // editions that objects are in
	inputs   []plan.Input
	warnings []string

	objects         int
	unpacked, names int64
}

// index returns the index of a part.
func (l *loading) index(part source.Part) (partIndex, error) {
	index, ok := l.known[part.ID()]
	if !ok {
		var err error
		if index, err = l.releases.editions.index(l.owner, edition{part, l.edit}); err != nil {
			return partIndex{}, err
		}
		l.known[part.ID()] = index
		if slices.ContainsFunc(index.Entries, isEdited) {
			l.edited = append(l.edited, edition{part, l.edit}.digest())
		}
		l.warnings = append(l.warnings, index.Warnings...)
		l.unpacked += index.Unpacked
		l.names += index.names()
	}
	l.objects += len(index.Entries)
	return index, nil
}

func isEdited(entry manifest.Entry) bool { return entry.Edited }

// overLimit returns an error if what was read is over a limit.
func (l *loading) overLimit() error {
	settings := l.settings.Load()
	switch {
	case l.objects > settings.Limits.Objects:
		return fault.Stallf(v1alpha1.LimitExceededReason, "the release has more than %d objects", settings.Limits.Objects)
	case l.unpacked > settings.MaxBytes:
		return fault.Stallf(v1alpha1.LimitExceededReason,
			"the sources of the release have more than %d bytes together, unpacked", settings.MaxBytes)
	case l.names > maxNames:
		return fault.Stallf(v1alpha1.LimitExceededReason,
			"the release has more than %d bytes of names of images and versions", maxNames)
	}
	return nil
}
