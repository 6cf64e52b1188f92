/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of settings: look-ups, declarations, checks (section 09).
 *
 * Filled in the master by clq_settings_load(), which reads the ini
 * (settings_ini.c), lets the environment override (settings_env.c) and
 * declares the core's own table (settings_table.c). Plugins declare theirs
 * later: a declaration gives a key its type, bounds and default, and checks
 * what the file said. Values are kept as texts; the words of each are split
 * when it is set, so that look-ups never allocate and workers only read.
 */
#include <cliquet/buf.h>
#include <cliquet/json.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "settings_impl.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 80 };	/* bytes of a wrong value in a message */

/* ---- the table of entries ---------------------------------------------- */

static uint32_t
hash_key(struct clq_str key)
{
	uint32_t h = 2166136261u;
	size_t i;

	for (i = 0; i < key.len; i++)
		h = (h ^ (unsigned char)key.p[i]) * 16777619u;
	return h;
}

/* The slot where key is, or would be. */
static size_t
slot_of(const struct clq_settings *s, struct clq_str key)
{
	size_t i = hash_key(key) & (s->nslots - 1);

	while (s->slots[i] != 0 &&
	    !clq_str_is(key, s->entries[s->slots[i] - 1]->key))
		i = (i + 1) & (s->nslots - 1);
	return i;
}

static void
grow_table(struct clq_settings *s)
{
	size_t i, cap = s->cap == 0 ? 512 : s->cap * 2;

	s->entries = clq_arena_grow(s->arena, s->entries,
	    s->cap * sizeof(struct clq_entry *),
	    cap * sizeof(struct clq_entry *));
	s->cap = cap;
	s->nslots = cap * 2;
	s->slots = clq_arena_calloc(s->arena, s->nslots, sizeof *s->slots);
	for (i = 0; i < s->n; i++)
		s->slots[slot_of(s, clq_str_of(s->entries[i]->key))] =
		    (uint32_t)i + 1;
}

struct clq_settings *
clq_settings_new(const char *path)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_settings *s = clq_arena_alloc(arena, sizeof *s);

	s->magic = CLQ_SETTINGS_MAGIC;
	s->arena = arena;
	if (path != NULL)
		s->path = clq_arena_cstr(arena, clq_str_of(path));
	s->entries = clq_arena_alloc(arena, 0);
	grow_table(s);
	return s;
}

void
clq_settings_free(struct clq_settings **s)
{
	struct clq_arena *arena;

	if (*s == NULL)
		return;
	assert((*s)->magic == CLQ_SETTINGS_MAGIC);
	(*s)->magic = 0;
	arena = (*s)->arena;
	*s = NULL;
	clq_arena_free(&arena);
}

struct clq_entry *
clq_settings_find(const struct clq_settings *s, const char *key)
{
	uint32_t slot;

	assert(s->magic == CLQ_SETTINGS_MAGIC);
	slot = s->slots[slot_of(s, clq_str_of(key))];
	return slot != 0 ? s->entries[slot - 1] : NULL;
}

struct clq_entry *
clq_settings_entry(struct clq_settings *s, struct clq_str key)
{
	size_t slot = slot_of(s, key);
	struct clq_entry *e;

	if (s->slots[slot] != 0)
		return s->entries[s->slots[slot] - 1];
	if (s->n == s->cap) {
		grow_table(s);
		slot = slot_of(s, key);
	}
	e = clq_arena_alloc(s->arena, sizeof *e);
	e->key = clq_arena_cstr(s->arena, key);
	e->where = "default";
	s->entries[s->n++] = e;
	s->slots[slot] = (uint32_t)s->n;
	return e;
}

/* ---- values ------------------------------------------------------------ */

/* The text of a JSON string or scalar; absent for arrays, objects, null. */
static struct clq_str
scalar_text(struct clq_settings *s, const cJSON *item)
{
	if (cJSON_IsString(item))
		return clq_arena_strdup(s->arena, clq_json_str(item));
	if (cJSON_IsNumber(item) || cJSON_IsBool(item))
		return clq_json_text(s->arena, item);
	return (struct clq_str){ NULL, 0 };
}

static void
split_words(struct clq_settings *s, struct clq_entry *e)
{
	struct clq_str rest = e->value, word, why;
	const cJSON *item;
	cJSON *tree;

	e->words = (struct clq_strs){ NULL, 0, 0 };
	if (e->value.p == NULL)
		return;
	if (clq_str_starts(e->value, "[") &&
	    clq_json_parse(s->arena, e->value, &tree, &why) == CLQ_OK) {
		cJSON_ArrayForEach(item, tree) {
			word = scalar_text(s, item);
			if (word.p != NULL)
				clq_strs_add(s->arena, &e->words, word);
		}
		return;
	}
	while (clq_str_next_word(&rest, &word))
		clq_strs_add(s->arena, &e->words, word);
}

void
clq_settings_assign(struct clq_settings *s, struct clq_entry *e,
    struct clq_str raw, enum clq_origin origin, const char *where)
{
	struct clq_str v = clq_str_trim(raw), why;
	cJSON *tree;

	if (clq_str_is(v, "null"))
		v.p = NULL;
	else if (clq_str_starts(v, "\"") &&
	    clq_json_parse(s->arena, v, &tree, &why) == CLQ_OK)
		v = clq_json_str(tree);
	e->value = (struct clq_str){ NULL, 0 };
	if (v.p != NULL)
		e->value = (struct clq_str){
		    clq_arena_cstr(s->arena, v), v.len };
	e->origin = origin;
	e->where = clq_arena_cstr(s->arena, clq_str_of(where));
	split_words(s, e);
}

bool
clq_settings_parse_bool(struct clq_str v, bool *out)
{
	static const char *const yes[] = { "true", "yes", "on", "1", "y", "t" };
	static const char *const no[] = { "false", "no", "off", "0", "n", "f",
	    "" };
	size_t i;

	for (i = 0; i < CLQ_COUNT(yes); i++)
		if (clq_str_caseis(v, yes[i])) {
			*out = true;
			return true;
		}
	for (i = 0; i < CLQ_COUNT(no); i++)
		if (clq_str_caseis(v, no[i])) {
			*out = false;
			return true;
		}
	return false;
}

/* ---- look-ups ---------------------------------------------------------- */

struct clq_str
clq_settings_str(const struct clq_settings *s, const char *key)
{
	const struct clq_entry *e = clq_settings_find(s, key);

	return e != NULL ? e->value : (struct clq_str){ NULL, 0 };
}

const char *
clq_settings_cstr(const struct clq_settings *s, const char *key)
{
	return clq_settings_str(s, key).p;	/* terminated by assign */
}

int64_t
clq_settings_int(const struct clq_settings *s, const char *key, int64_t def)
{
	const struct clq_entry *e = clq_settings_find(s, key);
	const struct clq_setting *row;
	int64_t n;

	if (e == NULL || e->value.len == 0 || !clq_str_int(e->value, &n))
		return def;
	/* Told already; what still runs then must not meet such a number. */
	row = e->row;
	if (row != NULL && row->type == CLQ_SET_INT &&
	    (n < row->min || n > row->max))
		return def;
	return n;
}

bool
clq_settings_bool(const struct clq_settings *s, const char *key, bool def)
{
	struct clq_str v = clq_settings_str(s, key);
	bool b;

	return v.p != NULL && clq_settings_parse_bool(v, &b) ? b : def;
}

struct clq_strs
clq_settings_list(const struct clq_settings *s, const char *key)
{
	const struct clq_entry *e = clq_settings_find(s, key);

	return e != NULL ? e->words : (struct clq_strs){ NULL, 0, 0 };
}

bool
clq_settings_has(const struct clq_settings *s, const char *key)
{
	return clq_settings_str(s, key).p != NULL;
}

const char *
clq_settings_origin(const struct clq_settings *s, const char *key)
{
	const struct clq_entry *e = clq_settings_find(s, key);

	return e != NULL ? e->where : "default";
}

void
clq_settings_each(const struct clq_settings *s, const char *prefix,
    clq_settings_each_f *fn, void *ctx)
{
	size_t i, len = strlen(prefix);
	const struct clq_entry *e;

	for (i = 0; i < s->n; i++) {
		e = s->entries[i];
		if (e->value.p != NULL && strncmp(e->key, prefix, len) == 0)
			fn(ctx, e->key, e->value);
	}
}

bool
clq_settings_usable(const struct clq_settings *s)
{
	return !s->wrong;
}

const char *
clq_settings_path(const struct clq_settings *s)
{
	return s->path;
}

/* ---- problems ---------------------------------------------------------- */

void
clq_settings_wrong(struct clq_settings *s, const char *where,
    const char *fmt, ...)
{
	struct clq_str msg;
	va_list ap;

	va_start(ap, fmt);
	msg = clq_arena_vprintf(s->arena, fmt, ap);
	va_end(ap);
	clq_log_err("%s: %.*s", where, CLQ_FMT(msg));
	s->wrong = true;
}

enum clq_status
clq_settings_error(struct clq_settings *s, const char *key,
    const char *fmt, ...)
{
	const struct clq_entry *e = clq_settings_find(s, key);
	const char *where = s->path != NULL ? s->path : "settings";
	struct clq_str msg;
	va_list ap;

	if (e != NULL && e->origin != CLQ_ORIGIN_DEFAULT)
		where = e->where;
	va_start(ap, fmt);
	msg = clq_arena_vprintf(s->arena, fmt, ap);
	va_end(ap);
	clq_settings_wrong(s, where, "%s: %.*s", key, CLQ_FMT(msg));
	return CLQ_INVALID;
}

/* The value for a message: bounded, and never a secret. */
static struct clq_str
shown(const struct clq_entry *e)
{
	if (e->row->type == CLQ_SET_SECRET)
		return CLQ_STR("(secret)");
	return clq_str_sub(e->value, 0, SHOWN);
}

static void
check_int(struct clq_settings *s, const struct clq_entry *e)
{
	const struct clq_setting *row = e->row;
	const char *unit = row->unit != NULL ? row->unit : "number";
	struct clq_str v = shown(e);
	int64_t n;

	if (e->value.len == 0)
		return;
	if (!clq_str_int(e->value, &n))
		(void)clq_settings_error(s, e->key, "'%.*s' is not an integer; "
		    "write one between %" PRId64 " and %" PRId64 " (%s)",
		    CLQ_FMT(v), row->min, row->max, unit);
	else if (n < row->min || n > row->max)
		(void)clq_settings_error(s, e->key, "%.*s is out of range; "
		    "write an integer between %" PRId64 " and %" PRId64
		    " (%s)", CLQ_FMT(v), row->min, row->max, unit);
}

void
clq_settings_check(struct clq_settings *s, struct clq_entry *e)
{
	struct clq_str v;
	bool b;

	if (e->row == NULL || e->value.p == NULL)
		return;
	switch (e->row->type) {
	case CLQ_SET_INT:
		check_int(s, e);
		break;
	case CLQ_SET_BOOL:
		v = shown(e);
		if (!clq_settings_parse_bool(e->value, &b))
			(void)clq_settings_error(s, e->key, "'%.*s' is neither "
			    "true nor false; write one of these", CLQ_FMT(v));
		break;
	case CLQ_SET_STR:
	case CLQ_SET_LIST:
	case CLQ_SET_SECRET:
		break;
	}
}

/* ---- declarations ------------------------------------------------------ */

bool
clq_settings_in_family(const char *family, const char *key)
{
	const char *star = strchr(family, '*');
	size_t len = strlen(key), head, tail;

	if (star == NULL)
		return false;
	head = (size_t)(star - family);
	tail = strlen(star + 1);
	return len > head + tail && strncmp(key, family, head) == 0 &&
	    strcmp(key + len - tail, star + 1) == 0;
}

const struct clq_setting *
clq_settings_row(const struct clq_settings *s, const char *key)
{
	size_t i;

	/* Later declarations win over earlier ones, exact keys over all. */
	for (i = s->nrows; i-- > 0;)
		if (strcmp(s->rows[i]->key, key) == 0)
			return s->rows[i];
	for (i = s->nrows; i-- > 0;)
		if (clq_settings_in_family(s->rows[i]->key, key))
			return s->rows[i];
	return NULL;
}

static void
add_row(struct clq_settings *s, const struct clq_setting *row)
{
	size_t cap = s->rows_cap == 0 ? 256 : s->rows_cap * 2;

	if (s->nrows == s->rows_cap) {
		if (s->rows == NULL)
			s->rows = clq_arena_alloc(s->arena, 0);
		s->rows = clq_arena_grow(s->arena, s->rows,
		    s->rows_cap * sizeof(const struct clq_setting *),
		    cap * sizeof(const struct clq_setting *));
		s->rows_cap = cap;
	}
	s->rows[s->nrows++] = row;
}

enum clq_status
clq_settings_declare(struct clq_settings *s, const struct clq_setting *table,
    size_t n)
{
	bool was_wrong = s->wrong;
	const struct clq_setting *row;
	enum clq_status rc;
	struct clq_entry *e;
	size_t i;

	s->wrong = false;
	for (i = 0; i < n; i++) {
		add_row(s, &table[i]);
		if (strchr(table[i].key, '*') != NULL)
			continue;
		e = clq_settings_entry(s, clq_str_of(table[i].key));
		if (e->origin == CLQ_ORIGIN_DEFAULT && table[i].def != NULL)
			clq_settings_assign(s, e, clq_str_of(table[i].def),
			    CLQ_ORIGIN_DEFAULT, "default");
		clq_env_override(s, e);
	}
	for (i = 0; i < s->n; i++) {
		e = s->entries[i];
		if ((row = clq_settings_row(s, e->key)) == e->row)
			continue;
		e->row = row;
		clq_settings_check(s, e);
	}
	rc = s->wrong ? CLQ_INVALID : CLQ_OK;
	s->wrong = s->wrong || was_wrong;
	return rc;
}

const struct clq_setting *
clq_settings_declare_below(struct clq_settings *s, const char *prefix,
    const struct clq_setting *table, size_t n)
{
	struct clq_setting *rows = clq_arena_calloc(s->arena, n, sizeof *rows);

	for (size_t i = 0; i < n; i++) {
		rows[i] = table[i];
		rows[i].key = clq_arena_printf(s->arena, "%s%s", prefix,
		    table[i].key).p;
	}
	return clq_settings_declare(s, rows, n) == CLQ_OK ? rows : NULL;
}
