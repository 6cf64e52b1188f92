/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answers of single objects (sections 03-2, 03-8.3).
 *
 * A write's timestamp is valid after a sync or the commit, so its answer is
 * rendered by a function that dispatch calls then. A creation that turns out to
 * have met an object lost a race: the request is run again.
 */
#include "answer.h"

struct pending {
	struct clq_target	*t;
	struct clq_edit		*edit;
	int			 status;
	enum clq_behavior	 behavior;
	const cJSON		*sent;
	const cJSON		*old;
};

enum clq_status
clq_answer_object(struct clq_target *t, int status,
    const struct clq_object *obj, const struct clq_acl *acl)
{
	static const struct clq_acl nothing = { NULL, 0 };
	struct clq_request *req = t->req;

	clq_set_etag(req, obj->last_modified);
	if (obj->deleted ||
	    (t->entry->decl->flags & CLQ_RESOURCE_USER) != 0)
		acl = NULL;
	else if (!clq_acl_visible(t, acl))
		acl = &nothing;
	return clq_reply(req, status, clq_splice_answer(req->arena, acl, obj));
}

/* CLQ_RETRY if the write did not happen as the lookup promised. */
static enum clq_status
take_result(struct clq_edit *edit)
{
	if (edit->write.status != CLQ_OK)
		return CLQ_RETRY;
	edit->result.last_modified = edit->write.last_modified;
	return CLQ_OK;
}

static enum clq_status
render_edit(struct clq_request *req, void *ctx)
{
	struct pending *p = ctx;
	enum clq_status rc;

	(void)req;
	if ((rc = take_result(p->edit)) != CLQ_OK)
		return rc;
	return clq_answer_object(p->t, p->status, &p->edit->result,
	    &p->edit->acl);
}

static enum clq_status
reply_part(struct clq_request *req, const cJSON *part)
{
	struct clq_buf b;

	clq_buf_init(&b, req->arena, 256);
	clq_buf_adds(&b, "{\"data\":");
	clq_json_print(&b, part);
	clq_buf_addc(&b, '}');
	return clq_reply(req, 200, clq_buf_str(&b));
}

/*
 * What counts as changed in a partial answer. A strict resource, which may
 * correct what it is sent, shows with `diff` also what it kept as it was
 * (section 11-7).
 */
static const cJSON *
compared(const struct clq_target *t, enum clq_behavior behavior,
    const cJSON *old)
{
	return behavior == CLQ_BEHAVIOR_DIFF &&
	    (t->entry->decl->flags & CLQ_RESOURCE_STRICT) != 0 ? NULL : old;
}

static enum clq_status
render_part(struct clq_request *req, void *ctx)
{
	struct pending *p = ctx;
	cJSON *data = p->edit->data;
	enum clq_status rc;

	if ((rc = take_result(p->edit)) != CLQ_OK)
		return rc;
	clq_set_etag(req, p->edit->result.last_modified);
	clq_json_set(data, "id", clq_json_new_str(p->edit->result.id));
	clq_json_set(data, "last_modified",
	    clq_json_new_int(p->edit->result.last_modified));
	return reply_part(req, clq_behavior_apply(req->arena, p->behavior,
	    p->sent, compared(p->t, p->behavior, p->old), data));
}

static struct pending *
defer(struct clq_target *t, struct clq_edit *edit, clq_view_f *render)
{
	struct pending *p = clq_arena_alloc(t->req->arena, sizeof *p);

	p->t = t;
	p->edit = edit;
	t->req->render = render;
	t->req->render_ctx = p;
	return p;
}

enum clq_status
clq_answer_edit(struct clq_target *t, int status, struct clq_edit *edit)
{
	defer(t, edit, render_edit)->status = status;
	return CLQ_OK;
}

enum clq_status
clq_answer_part(struct clq_target *t, enum clq_behavior behavior,
    struct clq_edit *edit, const cJSON *sent, const cJSON *old)
{
	struct pending *p = defer(t, edit, render_part);

	p->behavior = behavior;
	p->sent = sent;
	p->old = old;
	return CLQ_OK;
}

enum clq_status
clq_answer_same(struct clq_target *t, enum clq_behavior behavior,
    const cJSON *sent, const cJSON *old)
{
	if (behavior == CLQ_BEHAVIOR_FULL)
		return clq_answer_object(t, 200, t->existing, &t->lookup.acl);
	clq_set_etag(t->req, t->existing->last_modified);
	return reply_part(t->req, clq_behavior_apply(t->req->arena, behavior,
	    sent, compared(t, behavior, old), old));
}
