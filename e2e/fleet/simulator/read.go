package simulator

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// serveGet answers a read of one object.
func (c *Cluster) serveGet(a *answer, q *request, r *resource) {
	c.mu.Lock()
	o := c.get(r.storage(), q.key())
	c.mu.Unlock()
	if o == nil {
		a.status(statusOf(apierrors.NewNotFound(r.groupResource(), q.name)))
		return
	}
	a.body(http.StatusOK, c.parts(r, o, formOf(q))...)
}

// selection is what a list or a watch is of.
type selection struct {
	namespace string
	labels    labels.Selector
	fields    fields.Selector
}

// selected reads what a request selects.
func selected(q *request) (selection, error) {
	s := selection{namespace: q.namespace}
	var err error
	if s.labels, err = labels.Parse(q.URL.Query().Get("labelSelector")); err != nil {
		return s, apierrors.NewBadRequest(err.Error())
	}
	if s.fields, err = fields.ParseSelector(q.URL.Query().Get("fieldSelector")); err != nil {
		return s, apierrors.NewBadRequest(err.Error())
	}
	for _, requirement := range s.fields.Requirements() {
		if requirement.Field != metav1.ObjectNameField && requirement.Field != "metadata.namespace" {
			return s, apierrors.NewBadRequest(fmt.Sprintf(
				`%q is not a known field selector: only "metadata.name", "metadata.namespace"`, requirement.Field))
		}
	}
	return s, nil
}

// has reports whether a state is selected.
func (s selection) has(of *state) bool {
	if of == nil || s.namespace != "" && of.Namespace != s.namespace || !s.labels.Matches(labels.Set(of.labels)) {
		return false
	}
	return s.fields.Empty() || s.fields.Matches(fields.Set{
		metav1.ObjectNameField: of.Name, "metadata.namespace": of.Namespace,
	})
}

// continuation is where the next page of a list begins. It is of the objects as they are
// then: a list does not look back.
type continuation struct {
	Revision uint64               `json:"rv"`
	Behind   types.NamespacedName `json:"behind"`
}

// serveList answers a list.
func (c *Cluster) serveList(a *answer, q *request, r *resource) {
	of, err := selected(q)
	if err != nil {
		a.status(statusOf(err))
		return
	}
	limit, _ := strconv.Atoi(q.URL.Query().Get("limit"))
	from, err := continued(q.URL.Query().Get("continue"))
	if err != nil {
		a.status(statusOf(err))
		return
	}
	page := c.page(r, of, from, limit)
	a.body(http.StatusOK, c.listParts(r, page, formOf(q))...)
}

func continued(token string) (*continuation, error) {
	if token == "" {
		return nil, nil
	}
	content, err := base64.RawURLEncoding.DecodeString(token)
	from := &continuation{}
	if err != nil || json.Unmarshal(content, from) != nil {
		return nil, apierrors.NewBadRequest("invalid continue token: continue key is not valid")
	}
	return from, nil
}

// page is a part of a list.
type page struct {
	objects  []*object
	revision uint64
	token    string
	left     int
}

func (c *Cluster) page(r *resource, of selection, from *continuation, limit int) page {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := page{revision: c.revision}
	var all []*object
	if kind := c.kinds[r.storage()]; kind != nil {
		all = kind.objects
	}
	if from != nil {
		p.revision = from.Revision
	}
	for _, o := range all {
		if from != nil && compareNames(o.NamespacedName, from.Behind) <= 0 || !of.has(o.state) {
			continue
		}
		if limit > 0 && len(p.objects) == limit {
			p.left++
			continue
		}
		p.objects = append(p.objects, o)
	}
	if p.left > 0 {
		last := p.objects[limit-1].NamespacedName
		p.token = base64.RawURLEncoding.EncodeToString(mustJSON(continuation{p.revision, last}))
	}
	return p
}

// item returns an object of a list: those of built-in kinds do not repeat their kind.
func (c *Cluster) item(r *resource, o *object, f form) [][]byte {
	parts := c.parts(r, o, f)
	if f == whole && !r.isCustom {
		parts[0] = []byte(`{"metadata":{`)
	}
	return parts
}

// listParts returns the JSON of a list.
func (c *Cluster) listParts(r *resource, p page, f form) [][]byte {
	kind, version := r.kind+"List", r.groupVersion().String()
	if f == metadataOnly {
		kind, version = "PartialObjectMetadataList", "meta.k8s.io/v1"
	}
	metadata := map[string]any{"resourceVersion": strconv.FormatUint(p.revision, 10)}
	if p.token != "" {
		metadata["continue"], metadata["remainingItemCount"] = p.token, p.left
	}
	head := fmt.Sprintf(`{"kind":%q,"apiVersion":%q,"metadata":%s,"items":`, kind, version, mustJSON(metadata))
	if f == metadataOnly && len(p.objects) == 0 {
		return [][]byte{[]byte(head + "null}\n")} // As an API server has it.
	}
	parts := [][]byte{[]byte(head + "[")}
	for i, o := range p.objects {
		if i > 0 {
			parts = append(parts, []byte(","))
		}
		parts = append(parts, c.item(r, o, f)...)
	}
	return append(parts, []byte("]}\n"))
}
