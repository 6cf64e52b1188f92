/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answering with one object, now or when its timestamp is known.
 *
 * For the object endpoint and for POST on lists.
 */
#ifndef CLQ_ANSWER_H
#define CLQ_ANSWER_H

#include "resource_impl.h"

/* An object that is known already, with the permissions of acl that the
 * caller may see. */
enum clq_status clq_answer_object(struct clq_target *t, int status,
    const struct clq_object *obj, const struct clq_acl *acl);

/* What edit made of the object, once its timestamp is known; for DELETE the
 * tombstone alone. edit is in the arena. */
enum clq_status clq_answer_edit(struct clq_target *t, int status,
    struct clq_edit *edit);

/* A PATCH answered in part: light or diff. The trees are in the arena; old
 * has id and last_modified. */
enum clq_status clq_answer_part(struct clq_target *t,
    enum clq_behavior behavior, struct clq_edit *edit, const cJSON *sent,
    const cJSON *old);

/* A PATCH that changed nothing and was not written. */
enum clq_status clq_answer_same(struct clq_target *t,
    enum clq_behavior behavior, const cJSON *sent, const cJSON *old);

#endif
