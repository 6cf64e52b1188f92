/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST on the plural endpoint: create, or find what is there (section 03-5).
 *
 * The id of the body takes part in authorization, since a POST of an existing
 * object only reads it; so it is looked at before everything else.
 */
#include "resource_impl.h"

#include "answer.h"
#include "events.h"
#include "negotiation.h"

/* The id of the body, if it has one; a malformed one is refused before
 * anything else is looked at. */
static enum clq_status
read_id(struct clq_target *t, const struct clq_body *body)
{
	struct clq_str id = clq_json_str(body->id);

	if (body->id == NULL)
		return CLQ_OK;
	clq_place_set_id(t->req->arena, &t->at, id);
	return clq_require_id(t);
}

static enum clq_status
make_id(struct clq_target *t)
{
	const struct clq_id_kind *ids = t->entry->ids;

	if (t->at.id.p != NULL)
		return CLQ_OK;
	if (ids->make == NULL)
		return clq_invalid(t->req, "body", CLQ_STR("data.id"),
		    "data.id in body: Required");
	clq_place_set_id(t->req->arena, &t->at, ids->make(t->req->arena));
	return clq_require_id(t);
}

static enum clq_status
answer_existing(struct clq_target *t, const struct clq_object *obj)
{
	struct clq_object *read = clq_arena_alloc(t->req->arena, sizeof *read);

	*read = *obj;
	clq_event_read(t->req, t->entry->decl, &t->at.coll, read, 1);
	return clq_answer_object(t, 200, read, &t->lookup.acl);
}

/*
 * A value that has to be unique is there already: the answer is the object that
 * has it (section 03-11). In a list of many users that is one more object to be
 * read, with rights of its own; who may not read it gets a 409 that names no
 * more than its id.
 */
static enum clq_status
answer_equal(struct clq_target *t, const char *field,
    const struct clq_object *other)
{
	struct clq_target *u;
	enum clq_status rc;

	if ((t->entry->decl->flags & CLQ_RESOURCE_USER) != 0)
		return answer_existing(t, other);
	u = clq_target_new(t->req, t->entry);
	u->at = t->at;
	u->owner = t->owner;
	clq_place_set_id(t->req->arena, &u->at, other->id);
	clq_target_ask(u, CLQ_ACCESS_READ);
	if ((rc = clq_target_lookup(u, CLQ_LOOK_ACL)) != CLQ_OK)
		return rc;
	if (u->existing == NULL)
		return CLQ_RETRY;
	return clq_target_granted(u, CLQ_ACCESS_READ) ?
	    answer_existing(u, u->existing) :
	    clq_model_refuse(t, field, other);
}

static enum clq_status
create(struct clq_target *t, const struct clq_body *body)
{
	struct clq_arena *arena = t->req->arena;
	struct clq_edit *edit = clq_arena_alloc(arena, sizeof *edit);
	struct clq_object other;
	const char *field;
	enum clq_status rc;

	edit->action = CLQ_ACTION_CREATE;
	edit->id_made = body->id == NULL;
	edit->data = body->data != NULL ? body->data :
	    clq_json_own(arena, cJSON_CreateObject());
	edit->has_timestamp = clq_body_timestamp(body->last_modified, NULL,
	    &edit->timestamp);
	clq_body_acl(arena, body, false, &edit->set);
	if ((rc = clq_model_process(t, edit)) != CLQ_OK ||	/* 400 */
	    (rc = clq_model_unique(t, edit->data, &field, &other)) != CLQ_OK)
		return rc;
	if (field != NULL)
		return answer_equal(t, field, &other);		/* 200 409 */
	if ((rc = clq_model_store(t, edit)) != CLQ_OK)
		return rc;
	return clq_answer_edit(t, 201, edit);
}

enum clq_status
clq_plural_post(struct clq_request *req, void *ctx)
{
	struct clq_target *t = clq_target_new(req, ctx);
	struct clq_precond cond;
	struct clq_body body;
	enum clq_status rc;
	unsigned what;

	clq_body_read(req, &body);
	if ((rc = read_id(t, &body)) != CLQ_OK)			/* 400 */
		return rc;
	what = clq_target_ask_all(t);
	if ((rc = clq_target_scope(t)) != CLQ_OK ||
	    (rc = clq_tx_write(req)) != CLQ_OK ||
	    (rc = clq_target_lookup(t, what)) != CLQ_OK ||
	    (rc = clq_require_parent(t)) != CLQ_OK ||		/* 404/111 */
	    (rc = clq_negotiate(req)) != CLQ_OK ||		/* 406 415 */
	    (rc = clq_authorize(t, t->existing != NULL ? CLQ_ACCESS_READ :
	    CLQ_ACCESS_CREATE)) != CLQ_OK ||			/* 401 403 */
	    (rc = clq_check_whole(t, &body, &cond)) != CLQ_OK || /* 400 */
	    (rc = make_id(t)) != CLQ_OK ||
	    (rc = clq_check_condition(t, &cond)) != CLQ_OK)	/* 412 */
		return rc;
	if (t->existing != NULL)
		return answer_existing(t, t->existing);
	return create(t, &body);
}
