package simulator

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
)

// contentDiscovery is the content type of the discovery of all groups at once.
const contentDiscovery = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

// servePath answers a request for what is not a resource.
func (c *Cluster) servePath(a *answer, q *request) {
	segments := strings.Split(strings.Trim(q.path, "/"), "/")
	switch {
	case q.path == "/":
		a.json(http.StatusOK, map[string]any{"paths": []string{"/api", "/apis", "/version"}})
	case q.path == "/version":
		a.json(http.StatusOK, c.fleet.version())
	case q.path == "/healthz" || q.path == "/livez" || q.path == "/readyz":
		a.Header().Set("Content-Type", "text/plain; charset=utf-8")
		a.WriteHeader(http.StatusOK)
		_, _ = a.Write([]byte("ok")) // An error is that the client is gone.
	case segments[0] == "api" || segments[0] == "apis":
		c.serveDiscovery(a, q, segments)
	default:
		a.notFoundPage()
	}
}

// serveDiscovery answers /api, /api/v1, /apis, /apis/GROUP and /apis/GROUP/VERSION.
func (c *Cluster) serveDiscovery(a *answer, q *request, segments []string) {
	aggregated := strings.Contains(q.Header.Get("Accept"), "as=APIGroupDiscoveryList")
	isCore := segments[0] == "api"
	switch {
	case len(segments) == 1 && aggregated:
		a.typed(http.StatusOK, contentDiscovery, mustJSON(c.discoveryList(isCore)))
	case len(segments) == 1 && isCore:
		a.json(http.StatusOK, &metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}})
	case len(segments) == 1:
		a.json(http.StatusOK, groupList(c.discoveryList(false)))
	case isCore:
		c.serveResources(a, "", segments[1])
	case len(segments) == 2:
		c.serveGroup(a, segments[1])
	default:
		c.serveResources(a, segments[1], segments[2])
	}
}

// discoveryList returns what the cluster serves, in the form of aggregated discovery.
func (c *Cluster) discoveryList(core bool) *apidiscoveryv2.APIGroupDiscoveryList {
	if core {
		return theBuiltIns().core
	}
	list := *theBuiltIns().named
	list.Items = slices.Concat(list.Items, c.customGroups())
	return &list
}

// customGroups returns the groups of the CustomResourceDefinitions that are served.
func (c *Cluster) customGroups() []apidiscoveryv2.APIGroupDiscovery {
	c.mu.Lock()
	defer c.mu.Unlock()
	var groups []apidiscoveryv2.APIGroupDiscovery
	for _, d := range c.served {
		i := slices.IndexFunc(groups, func(g apidiscoveryv2.APIGroupDiscovery) bool { return g.Name == d.group })
		if i < 0 {
			i = len(groups)
			groups = append(groups, apidiscoveryv2.APIGroupDiscovery{ObjectMeta: metav1.ObjectMeta{Name: d.group}})
		}
		for _, v := range d.versions {
			addResource(&groups[i], v)
		}
	}
	slices.SortFunc(groups, func(a, b apidiscoveryv2.APIGroupDiscovery) int { return strings.Compare(a.Name, b.Name) })
	return groups
}

// addResource adds a resource to the version of a group that it is in.
func addResource(group *apidiscoveryv2.APIGroupDiscovery, v definedVersion) {
	i, found := slices.BinarySearchFunc(group.Versions, v.version, func(have apidiscoveryv2.APIVersionDiscovery, want string) int {
		return version.CompareKubeAwareVersionStrings(want, have.Version)
	})
	if !found {
		group.Versions = slices.Insert(group.Versions, i, apidiscoveryv2.APIVersionDiscovery{
			Version: v.version, Freshness: apidiscoveryv2.DiscoveryFreshnessCurrent,
		})
	}
	group.Versions[i].Resources = append(group.Versions[i].Resources, v.discovery)
}

// groupList returns the older form of the groups.
func groupList(of *apidiscoveryv2.APIGroupDiscoveryList) *metav1.APIGroupList {
	list := &metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
	for _, group := range of.Items {
		list.Groups = append(list.Groups, *olderGroup(&group))
	}
	return list
}

func olderGroup(of *apidiscoveryv2.APIGroupDiscovery) *metav1.APIGroup {
	group := &metav1.APIGroup{Name: of.Name}
	for _, v := range of.Versions {
		group.Versions = append(group.Versions, metav1.GroupVersionForDiscovery{
			GroupVersion: schema.GroupVersion{Group: of.Name, Version: v.Version}.String(), Version: v.Version,
		})
	}
	group.PreferredVersion = group.Versions[0]
	return group
}

func (c *Cluster) serveGroup(a *answer, name string) {
	groups := c.discoveryList(false).Items
	i := slices.IndexFunc(groups, func(g apidiscoveryv2.APIGroupDiscovery) bool { return g.Name == name })
	if i < 0 {
		a.notFoundPage()
		return
	}
	group := olderGroup(&groups[i])
	group.TypeMeta = metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}
	a.json(http.StatusOK, group)
}

func (c *Cluster) serveResources(a *answer, name, version string) {
	for _, group := range c.discoveryList(name == "").Items {
		for _, v := range group.Versions {
			if group.Name == name && v.Version == version {
				a.json(http.StatusOK, resourceList(name, group.Versions[0].Version, &v))
				return
			}
		}
	}
	a.notFoundPage()
}

// storageHash returns the hash of the version that objects of a kind are stored in, as
// k8s.io/apiserver/pkg/endpoints/discovery makes it; none if there are no objects.
func storageHash(verbs []string, group, version, kind string) string {
	if !slices.Contains(verbs, "list") {
		return ""
	}
	sum := sha256.Sum256([]byte(group + "/" + version + "/" + kind))
	return base64.StdEncoding.EncodeToString(sum[:8])
}

// resourceList returns the older form of the resources of a version.
func resourceList(group, stored string, of *apidiscoveryv2.APIVersionDiscovery) *metav1.APIResourceList {
	gv := schema.GroupVersion{Group: group, Version: of.Version}
	list := &metav1.APIResourceList{
		TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: gv.String(),
	}
	for _, r := range of.Resources {
		namespaced := r.Scope == apidiscoveryv2.ScopeNamespace
		list.APIResources = append(list.APIResources, metav1.APIResource{
			Name: r.Resource, SingularName: r.SingularResource, Namespaced: namespaced, Kind: r.ResponseKind.Kind,
			Verbs: r.Verbs, ShortNames: r.ShortNames, Categories: r.Categories,
			StorageVersionHash: storageHash(r.Verbs, group, stored, r.ResponseKind.Kind),
		})
		for _, sub := range r.Subresources {
			list.APIResources = append(list.APIResources, metav1.APIResource{
				Name: r.Resource + "/" + sub.Subresource, Namespaced: namespaced, Verbs: sub.Verbs,
				Kind: sub.ResponseKind.Kind,
			})
		}
	}
	return list
}
