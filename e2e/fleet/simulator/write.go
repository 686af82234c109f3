package simulator

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

type fieldManager = *managedfields.FieldManager

// written is an object behind a write, or why there was none.
type written struct {
	object  *object
	isNew   bool
	refused *metav1.Status
}

func refuse(err error) written { return written{refused: statusOf(err)} }

// answerWritten sends an object behind a write.
func (c *Cluster) answerWritten(a *answer, q *request, r *resource, w written) {
	switch {
	case w.refused != nil:
		a.status(w.refused)
	case w.isNew:
		a.body(http.StatusCreated, c.parts(r, w.object, formOf(q))...)
	default:
		a.body(http.StatusOK, c.parts(r, w.object, formOf(q))...)
	}
}

// servePatch answers a PATCH.
func (c *Cluster) servePatch(a *answer, q *request, r *resource) {
	body, release, refused := readBody(a, q)
	if refused != nil {
		a.status(refused)
		return
	}
	defer release()
	kind := types.PatchType(mediaType(q.Header.Get("Content-Type")))
	switch kind {
	case types.ApplyPatchType:
		c.answerWritten(a, q, r, c.apply(q, r, c.fleet.sent(body)))
	case types.JSONPatchType, types.MergePatchType, types.StrategicMergePatchType:
		c.answerWritten(a, q, r, c.patchWith(q, r, kind, body))
	default:
		a.status(statusOf(unsupported()))
	}
}

// apply carries out a server-side apply.
func (c *Cluster) apply(q *request, r *resource, sent *sentObject) written {
	manager, force := q.URL.Query().Get("fieldManager"), q.URL.Query().Get("force") == "true"
	switch {
	case sent.refused != nil:
		return written{refused: sent.refused}
	case manager == "":
		return refuse(noManager())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	live := c.get(r.storage(), q.key())
	if err := c.checkSent(q, r, live, sent); err != nil {
		return refuse(err)
	}
	before := live.stateOrNil()
	d := deed{before, q.key(), r, "apply " + q.sub, manager, force, sent.digest}
	return c.commit(q, r, live, c.fleet.deeds.get(d, func() result {
		return apply(r, q.sub, before, q.key(), sent, manager, force)
	}))
}

// noManager is the answer to an apply of nobody.
func noManager() error {
	return apierrors.NewInvalid(schema.GroupKind{Group: "meta.k8s.io", Kind: "PatchOptions"}, "",
		field.ErrorList{field.Required(field.NewPath("fieldManager"), "is required for apply patch")})
}

func (o *object) stateOrNil() *state {
	if o == nil {
		return nil
	}
	return o.state
}

// commit stores the result of a write. The caller holds c.mu.
func (c *Cluster) commit(q *request, r *resource, live *object, made result) written {
	if made.refused != nil {
		return written{refused: made.refused}
	}
	if live != nil && made.after == live.state {
		return written{object: live}
	}
	if live == nil {
		if err := c.checkNamespace(q, r); err != nil {
			return refuse(err)
		}
	}
	if q.URL.Query().Get("dryRun") == "All" {
		dry := &object{state: made.after, revision: c.revision}
		if live != nil {
			dry = &object{state: made.after, number: live.number, revision: live.revision, created: live.created, deleted: live.deleted}
		}
		return written{object: dry, isNew: live == nil}
	}
	stored := c.put(r, live, made.after, time.Now())
	c.react(r, stored)
	return written{object: stored, isNew: live == nil}
}

// patchWith carries out a patch that is no apply.
func (c *Cluster) patchWith(q *request, r *resource, kind types.PatchType, body []byte) written {
	c.mu.Lock()
	defer c.mu.Unlock()
	live := c.get(r.storage(), q.key())
	if live == nil {
		return refuse(apierrors.NewNotFound(r.groupResource(), q.name))
	}
	fields, refused := patched(r, kind, c.complete(r, live), body)
	if refused != nil {
		return written{refused: refused}
	}
	return c.overwrite(q, r, live, fields)
}

// overwrite gives an object other fields. The caller holds c.mu.
func (c *Cluster) overwrite(q *request, r *resource, live *object, fields map[string]any) written {
	sent := decodeSent(mustJSON(fields))
	if err := c.checkSent(q, r, live, sent); err != nil {
		return refuse(err)
	}
	return c.commit(q, r, live, update(r, q.sub, live.state, sent.fields, managerOf(q)))
}

// unrecognized is the answer to a whole object that is not JSON.
func unrecognized(r *resource) error {
	return apierrors.NewBadRequest(fmt.Sprintf(
		"the object provided is unrecognized (must be of type %s): couldn't get version/kind; json parse error: it is no JSON", r.kind))
}

// serveUpdate answers a PUT.
func (c *Cluster) serveUpdate(a *answer, q *request, r *resource) {
	body, release, refused := readBody(a, q)
	if refused != nil {
		a.status(refused)
		return
	}
	defer release()
	c.answerWritten(a, q, r, c.update(q, r, decodeSent(body)))
}

func (c *Cluster) update(q *request, r *resource, sent *sentObject) written {
	if sent.refused != nil {
		return refuse(unrecognized(r))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	live := c.get(r.storage(), q.key())
	if live == nil {
		return refuse(apierrors.NewNotFound(r.groupResource(), q.name))
	}
	if err := c.checkSent(q, r, live, sent); err != nil {
		return refuse(err)
	}
	return c.commit(q, r, live, update(r, q.sub, live.state, sent.fields, managerOf(q)))
}

// serveCreate answers a POST.
func (c *Cluster) serveCreate(a *answer, q *request, r *resource) {
	body, release, refused := readBody(a, q)
	if refused != nil {
		a.status(refused)
		return
	}
	defer release()
	c.answerWritten(a, q, r, c.create(q, r, decodeSent(body)))
}

func (c *Cluster) create(q *request, r *resource, sent *sentObject) written {
	if sent.refused != nil {
		return refuse(unrecognized(r))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.name(q, sent); err != nil {
		return refuse(err)
	}
	switch {
	case sent.revision != "":
		return refuse(errors.New("resourceVersion should not be set on objects to be created"))
	case c.get(r.storage(), q.key()) != nil:
		return refuse(apierrors.NewAlreadyExists(r.groupResource(), q.name))
	}
	return c.commit(q, r, nil, update(r, "", nil, sent.fields, managerOf(q)))
}

// name gives a request the name of the object that it is to create.
func (c *Cluster) name(q *request, sent *sentObject) error {
	metadata := childOf(sent.fields, "metadata")
	if sent.name == "" {
		prefix, _ := metadata["generateName"].(string)
		if prefix == "" {
			return apierrors.NewBadRequest("name or generateName is required")
		}
		sent.name = prefix + strconv.FormatUint(c.revision, 36)
	}
	if sent.namespace != "" && sent.namespace != q.namespace {
		return apierrors.NewBadRequest("the namespace of the provided object does not match the namespace sent on the request")
	}
	q.name, metadata["name"] = sent.name, sent.name
	if q.namespace != "" {
		metadata["namespace"] = q.namespace
	}
	sent.fields["metadata"] = metadata
	return nil
}
