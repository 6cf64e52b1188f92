/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the history plugin share. */
#ifndef HISTORY_H
#define HISTORY_H

#include <cliquet/cliquet.h>

/* The settings `history.*`; in the server's memory. */
struct history {
	struct clq_strs	exclude_users;
	struct clq_strs	exclude_resources;	/* URIs */
	struct clq_strs	trim_users;		/* none: all are trimmed */
	int64_t		trim_max;		/* entries; 0 or less: no trimming */
	int64_t		trim_threshold;		/* so many more may be there */
	bool		explicit_permissions;
};

extern const struct clq_resource history_resource;
extern const struct clq_service history_snapshot;

/* Subscriber before the commit: writes the entries; ctx: struct history. */
clq_subscriber_f history_note;

/* "/buckets/b/..." -> "/buckets/b". */
struct clq_str history_bucket(struct clq_str uri);

/* Parent id and name of the list of entries of a bucket. */
struct clq_coll history_list(struct clq_str bucket);

#endif
