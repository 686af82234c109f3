package workload

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

var _ rollout.Remover = (*Client)(nil)

// Preferred returns the resource of each kind in the version that the server
// prefers: one request for all kinds, or, where the server does not list all groups
// at once, two for each group. A kind that is not served is missing. One of a group
// of which the server does not know what it serves is an error: it is not gone.
func (c *Client) Preferred(
	ctx context.Context, kinds []schema.GroupKind,
) (map[schema.GroupKind]manifest.Resource, error) {
	resources := make(map[schema.GroupKind]manifest.Resource, len(kinds))
	var others []schema.GroupKind
	for _, kind := range kinds {
		if resource, ok := manifest.BuiltIn("", "v1", kind.Kind); ok && kind.Group == "" {
			resources[kind] = resource
			continue
		}
		others = append(others, kind)
	}
	if len(others) == 0 {
		return resources, nil
	}
	list := &apidiscoveryv2.APIGroupDiscoveryList{}
	if err := c.get(ctx, acceptDiscovery, list, "apis"); err != nil {
		return nil, failed("discovery", false, err)
	}
	groups := list.Items
	if list.Kind != "APIGroupDiscoveryList" {
		var err error
		if groups, err = c.discoverGroups(ctx, others); err != nil {
			return nil, err
		}
	}
	for _, kind := range others {
		resource, ok := preferredIn(groups, kind)
		switch {
		case ok:
			resources[kind] = resource
		case isStale(groups, kind.Group):
			return nil, fault.Retry(v1alpha1.ApplyFailedReason, fmt.Errorf(
				"discovery of %s: what it serves is not known: its API service does not answer, or the server just started", kind.Group))
		}
	}
	return resources, nil
}

// isStale reports whether the server lists a version of a group without knowing what
// is in it now: that of an API service that does not answer, and each for a moment
// after the server started.
func isStale(groups []apidiscoveryv2.APIGroupDiscovery, name string) bool {
	return slices.ContainsFunc(groups, func(group apidiscoveryv2.APIGroupDiscovery) bool {
		return group.Name == name && slices.ContainsFunc(group.Versions, func(version apidiscoveryv2.APIVersionDiscovery) bool {
			return version.Freshness == apidiscoveryv2.DiscoveryFreshnessStale
		})
	})
}

// discoverGroups reads the groups of the kinds, each in its preferred version only,
// from a server that does not list all at once.
func (c *Client) discoverGroups(
	ctx context.Context, kinds []schema.GroupKind,
) ([]apidiscoveryv2.APIGroupDiscovery, error) {
	var groups []apidiscoveryv2.APIGroupDiscovery
	for _, kind := range kinds {
		if slices.ContainsFunc(groups, func(g apidiscoveryv2.APIGroupDiscovery) bool { return g.Name == kind.Group }) {
			continue
		}
		read := &metav1.APIGroup{}
		err := c.get(ctx, acceptJSON, read, "apis", kind.Group)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, failed("discovery of "+kind.Group, false, err)
		}
		group := apidiscoveryv2.APIGroupDiscovery{}
		group.Name = kind.Group
		for _, version := range read.Versions {
			resources, err := c.Resources(ctx, kind.Group, version.Version)
			if err != nil {
				return nil, err
			}
			group.Versions = append(group.Versions, discoveryOf(version.Version, resources))
		}
		groups = append(groups, group)
	}
	return groups, nil
}

// discoveryOf returns the resources of a group version in their newer form, as far
// as preferredIn needs it.
func discoveryOf(version string, resources []metav1.APIResource) apidiscoveryv2.APIVersionDiscovery {
	discovery := apidiscoveryv2.APIVersionDiscovery{Version: version}
	for _, r := range resources {
		scope := apidiscoveryv2.ScopeCluster
		if r.Namespaced {
			scope = apidiscoveryv2.ScopeNamespace
		}
		discovery.Resources = append(discovery.Resources, apidiscoveryv2.APIResourceDiscovery{
			Resource: r.Name, Scope: scope, ResponseKind: &metav1.GroupVersionKind{Kind: r.Kind},
		})
	}
	return discovery
}

// preferredIn returns the resource of a kind in the first version that has it: a
// group lists its versions in the order of preference.
func preferredIn(groups []apidiscoveryv2.APIGroupDiscovery, kind schema.GroupKind) (manifest.Resource, bool) {
	for _, group := range groups {
		if group.Name != kind.Group {
			continue
		}
		for _, version := range group.Versions {
			for _, r := range version.Resources {
				if r.ResponseKind != nil && r.ResponseKind.Kind == kind.Kind {
					return manifest.Resource{
						Group: kind.Group, Version: version.Version, Plural: r.Resource,
						Namespaced: r.Scope == apidiscoveryv2.ScopeNamespace,
					}, true
				}
			}
		}
	}
	return manifest.Resource{}, false
}

// Delete deletes an object, and what it owns behind it, if it is still the one
// that was read. It reports whether the object is gone: one with finalizers is not
// yet. If another writer was faster, the error is inventory.ErrChanged in a
// fault.Wait of one second.
func (c *Client) Delete(
	ctx context.Context, resource manifest.Resource, ref manifest.Ref, live rollout.Identity,
) (gone bool, err error) {
	options, err := json.Marshal(&metav1.DeleteOptions{
		TypeMeta:          metav1.TypeMeta{APIVersion: "v1", Kind: "DeleteOptions"},
		Preconditions:     &metav1.Preconditions{UID: &live.UID, ResourceVersion: &live.ResourceVersion},
		PropagationPolicy: new(metav1.DeletePropagationBackground),
	})
	if err != nil {
		return false, classify(ref, err)
	}
	answered := &metav1.PartialObjectMetadata{}
	err = c.send(ctx, c.rest.Verb(http.MethodDelete).
		AbsPath(path(resource, ref)...).
		SetHeader("Accept", acceptMetadata).
		SetHeader("Content-Type", acceptJSON).
		Body(options), answered)
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case apierrors.IsConflict(err):
		return false, changed(ref)
	case err != nil:
		return false, classify(ref, err)
	}
	// It is gone if the answer is a Status or the object as it was, else the answer is
	// the object in its deletion.
	return answered.Kind == "Status" || answered.DeletionTimestamp == nil, nil
}

// LetGo removes from an object, if it is still there, the fields that only the
// field manager applied: it applies the object with nothing in it. One that cannot be
// without them keeps them, and loses only the marks of a member.
func (c *Client) LetGo(
	ctx context.Context, resource manifest.Resource, ref manifest.Ref, live rollout.Identity, manager string,
) error {
	body, err := json.Marshal(map[string]any{
		"apiVersion": schema.GroupVersion{Group: ref.Group, Version: ref.Version}.String(),
		"kind":       ref.Kind,
		// The UID keeps an object that is gone from being made anew.
		"metadata": map[string]any{"name": ref.Name, "namespace": ref.Namespace, "uid": live.UID},
	})
	if err != nil {
		return classify(ref, err)
	}
	_, err = c.apply(ctx, resource, ref, body, manager, true)
	if apierrors.IsInvalid(err) {
		return c.unmark(ctx, resource, ref, live, manager)
	}
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // another object has its name, or none
	}
	return classify(ref, err)
}

// unmark removes the marks of a member from an object that is as it was read. Whoever
// takes it over then takes the fields of the set that is gone, too.
func (c *Client) unmark(
	ctx context.Context, resource manifest.Resource, ref manifest.Ref, live rollout.Identity, manager string,
) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": live.UID, "resourceVersion": live.ResourceVersion,
		"labels":      map[string]any{inventory.PartOfLabel: nil},
		"annotations": map[string]any{inventory.SHA256Annotation: nil},
	}})
	if err != nil {
		return classify(ref, err)
	}
	err = c.send(ctx, c.rest.Patch(types.MergePatchType).
		AbsPath(path(resource, ref)...).
		Param("fieldManager", manager).
		SetHeader("Accept", acceptMetadata).
		Body(patch), nil)
	if isChanged(err) {
		return changed(ref)
	}
	return classify(ref, err)
}
