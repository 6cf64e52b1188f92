/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What look-ups found out and the next one asks again: the parent of an
 * object, the groups of a user, who holds a permission.
 *
 * Nearly all requests of a user, and all parts of a batch, have these in
 * common; without them a GET is two statements instead of five. A fact holds
 * as long as the database is the same, which SQLite says for nothing: its data
 * version changes with each commit, of whomever, that a transaction comes to
 * see. Within our own transaction whoever writes says what must be looked up
 * again: sq_start() all, unless the caller knows better. What is undone takes
 * all facts along.
 *
 * Facts are few and small; what has no room is looked up again.
 */
#include "storage/sqlite.h"

#include <cliquet/str.h>

#include <stdlib.h>

enum {
	WAYS		= 4,	/* facts about things of one hash */
	SETS		= SQ_FACTS / WAYS,
	FACT_BYTES	= 2048	/* of a fact, with what it is about */
};

static bool
get_version(struct sq_db *q, unsigned *version)
{
	return sqlite3_file_control(q->db, "main", SQLITE_FCNTL_DATA_VERSION,
	    version) == SQLITE_OK;
}

/* True if the facts are about what the transaction sees. Only a transaction
 * that has read has chosen what that is. */
static bool
check(struct sq_db *q)
{
	struct sq_known *k = &q->known;
	unsigned version;

	if (k->checked)
		return true;
	if (sqlite3_txn_state(q->db, "main") == SQLITE_TXN_NONE ||
	    !get_version(q, &version))
		return false;
	if (version != k->version)
		sq_known_forget(q);
	k->version = version;
	return k->checked = true;
}

/* ---- facts -------------------------------------------------------------- */

static uint64_t
hash_of(enum sq_fact_kind kind, struct clq_str name)
{
	uint64_t h = 14695981039346656037u ^ (uint64_t)kind;	/* FNV-1a */
	size_t i;

	for (i = 0; i < name.len; i++)
		h = (h ^ (unsigned char)name.p[i]) * 1099511628211u;
	return h != 0 ? h : 1;
}

static struct sq_fact *
set_of(struct sq_db *q, uint64_t hash)
{
	return &q->known.facts[hash % SETS * WAYS];
}

static void
add_key(struct sq_bytes *b, const struct sq_about *about)
{
	const struct clq_str *parts[] = { &about->name, &about->of,
	    &about->more };
	uint32_t len;
	size_t i;

	for (i = 0; i < CLQ_COUNT(parts); i++) {
		len = (uint32_t)parts[i]->len;
		sq_bytes_add(b, &len, sizeof len);
		if (len > 0)
			sq_bytes_add(b, parts[i]->p, len);
	}
}

static struct sq_fact *
find(struct sq_db *q, const struct sq_about *about, uint64_t hash)
{
	struct sq_fact *f = set_of(q, hash), *end = f + WAYS;
	struct sq_bytes *key = &q->known.key;

	key->len = 0;
	add_key(key, about);
	for (; f < end; f++)
		if (f->hash == hash && f->keylen == key->len &&
		    memcmp(f->bytes.p, key->p, key->len) == 0)
			return f;
	return NULL;
}

bool
sq_known_get(struct sq_db *q, const struct sq_about *about,
    struct clq_str *value)
{
	struct sq_fact *f;

	if (!check(q))
		return false;
	f = find(q, about, hash_of(about->kind, about->name));
	if (f == NULL)
		return false;
	value->p = (const char *)f->bytes.p + f->keylen;
	value->len = f->bytes.len - f->keylen;
	return true;
}

/* A free place, or that of one after the other. */
static struct sq_fact *
place_for(struct sq_db *q, uint64_t hash)
{
	struct sq_fact *f = set_of(q, hash), *end = f + WAYS;

	for (; f < end; f++)
		if (f->hash == 0)
			return f;
	return set_of(q, hash) + q->known.turn++ % WAYS;
}

void
sq_known_put(struct sq_db *q, const struct sq_about *about,
    struct clq_str value)
{
	uint64_t hash = hash_of(about->kind, about->name);
	struct sq_fact *f;

	if (about->name.len + about->of.len + about->more.len + value.len >
	    FACT_BYTES || !check(q))
		return;
	f = find(q, about, hash);
	if (f == NULL)
		f = place_for(q, hash);
	f->hash = hash;
	f->bytes.len = 0;
	add_key(&f->bytes, about);
	f->keylen = f->bytes.len;
	sq_bytes_add(&f->bytes, value.p, value.len);
}

void
sq_known_drop(struct sq_db *q, enum sq_fact_kind kind, struct clq_str name)
{
	uint64_t hash = hash_of(kind, name);
	struct sq_fact *f = set_of(q, hash), *end = f + WAYS;

	for (; f < end; f++)
		if (f->hash == hash)
			f->hash = 0;
}

void
sq_known_forget(struct sq_db *q)
{
	size_t i;

	for (i = 0; i < SQ_FACTS; i++)
		q->known.facts[i].hash = 0;
}

void
sq_known_end(struct sq_db *q, bool written, bool committed)
{
	struct sq_known *k = &q->known;
	bool checked = k->checked;

	k->checked = false;
	if (!written)
		return;
	/* Nobody else can have written since, so they hold for the version
	 * that the commit made. */
	if (!committed || !checked || !get_version(q, &k->version))
		sq_known_forget(q);
}

void
sq_known_free(struct sq_db *q)
{
	size_t i;

	for (i = 0; i < SQ_FACTS; i++)
		free(q->known.facts[i].bytes.p);
	free(q->known.key.p);
	free(q->known.value.p);
	memset(&q->known, 0, sizeof q->known);
}

/* ---- lists of texts ----------------------------------------------------- */

void
sq_known_add_str(struct sq_bytes *b, struct clq_str s)
{
	uint32_t len = (uint32_t)s.len;

	sq_bytes_add(b, &len, sizeof len);
	sq_bytes_add(b, s.p, s.len);
}

bool
sq_known_next_str(struct clq_str *value, struct clq_str *s)
{
	uint32_t len;

	if (value->len < sizeof len)
		return false;
	memcpy(&len, value->p, sizeof len);
	*s = clq_str_sub(*value, sizeof len, sizeof len + len);
	*value = clq_str_sub(*value, sizeof len + len, value->len);
	return true;
}
