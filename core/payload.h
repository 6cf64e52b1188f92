/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON text of an event (section 07-11), whole or in parts.
 */
#ifndef CLQ_PAYLOAD_H
#define CLQ_PAYLOAD_H

#include <cliquet/app.h>
#include <cliquet/buf.h>

/* "create": as payloads and settings have it. */
const char *clq_action_name(enum clq_action action);

/* How many objects it has: changes, or what was read. */
size_t clq_payload_count(const struct clq_event *event);

/*
 * Objects from `from` on, as many as fit in about `limit` bytes (0: all), at
 * least one; returns where the next part begins. Without objects all is one
 * part.
 */
size_t clq_payload_part(struct clq_buf *b, const struct clq_event *event,
    bool objects, size_t from, size_t limit);

#endif
