/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The headers of one part of a form (RFC 7578, section 4; RFC 5987).
 */
#ifndef ATTACHMENT_PART_HEAD_H
#define ATTACHMENT_PART_HEAD_H

#include "multipart.h"

/*
 * Read m->head, which ends with an empty line. Texts of out are in m. False
 * with m->why set if it is malformed or names no field.
 */
bool part_head_parse(struct multipart *m, struct multipart_part *out);

#endif
