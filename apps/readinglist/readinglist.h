/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of Reading List share. */
#ifndef READINGLIST_H
#define READINGLIST_H

#include <cliquet/cliquet.h>

/*
 * The rules of articles (section 11-7.2), for new ones and for changed ones.
 * Changes draft->data; CLQ_INVALID after clq_invalid(). In a worker, inside the
 * request's transaction.
 */
clq_process_f readinglist_rules;

#endif
