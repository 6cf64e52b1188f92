/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the quotas plugin share. */
#ifndef QUOTAS_H
#define QUOTAS_H

#include <cliquet/cliquet.h>

/* What is stored below a bucket or collection, itself included. */
struct quotas_counters {
	struct clq_coll	coll;		/* where they are kept */
	struct clq_str	id;
	bool		found;		/* they have been kept before */
	int64_t		collections;	/* buckets only */
	int64_t		records;
	int64_t		bytes;
};

/* Those of a bucket (2 segments) or of a collection (4), by its URI; empty. */
struct quotas_counters quotas_of(struct clq_str uri);

/* Read n of them. Statuses of storage. */
enum clq_status quotas_read(struct clq_request *req,
    struct quotas_counters *counters, size_t n) CLQ_MUST_CHECK;

/* Write them back; what fell below zero is zero. */
enum clq_status quotas_write(struct clq_request *req,
    struct quotas_counters *counters, size_t n) CLQ_MUST_CHECK;

/* A limit: the most specific setting; -1 if there is none. */
enum quotas_limit {
	QUOTAS_MAX_BYTES,
	QUOTAS_MAX_ITEMS,
	QUOTAS_MAX_BYTES_PER_ITEM
};
int64_t quotas_limit(struct clq_request *req, struct clq_str uri,
    enum quotas_limit limit);

#endif
