/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of the shared area, the text that runs through them, and the check
 * that a table holds together after its last user died.
 *
 * The callers hold the table's lock. See memory_blocks.h for the layout.
 */
#include "memory_blocks.h"
#include "memory_table.h"

enum {
	HEAD_ROOM = sizeof(((struct mem_block *)0)->u.head.text),
	MORE_ROOM = sizeof(((struct mem_block *)0)->u.text)
};

uint32_t
mem_count_blocks(size_t max_bytes)
{
	return (uint32_t)(max_bytes / MEM_BLOCK_SIZE);
}

/* An entry has one block at least and two in general. */
uint32_t
mem_count_buckets(size_t max_bytes)
{
	uint32_t n = 64;

	while (n < mem_count_blocks(max_bytes) / 2)
		n *= 2;
	return n;
}

size_t
mem_blocks_offset(uint32_t n_buckets)
{
	size_t len = sizeof(struct mem_table) + n_buckets * sizeof(uint32_t);

	return (len + MEM_BLOCK_SIZE - 1) / MEM_BLOCK_SIZE * MEM_BLOCK_SIZE;
}

uint32_t
mem_table_cost(size_t key_len, size_t value_len)
{
	size_t len = key_len + value_len;

	if (len <= HEAD_ROOM)
		return 1;
	len = 1 + (len - HEAD_ROOM + MORE_ROOM - 1) / MORE_ROOM;
	return len < MEM_NONE ? (uint32_t)len : MEM_NONE;
}

static uint32_t
block_alloc(struct mem_table *t, enum mem_kind kind)
{
	uint32_t i = t->free;
	struct mem_block *b;

	if (i != MEM_NONE) {
		t->free = mem_block(t, i)->next;
	} else {
		assert(t->fresh < t->n_blocks);
		i = t->fresh++;
	}
	t->n_used++;
	b = mem_block(t, i);
	b->kind = (uint32_t)kind;
	b->next = MEM_NONE;
	return i;
}

uint32_t
mem_chain_alloc(struct mem_table *t, uint32_t n)
{
	uint32_t head = block_alloc(t, MEM_KIND_HEAD);

	for (uint32_t last = head; --n > 0; ) {
		uint32_t more = block_alloc(t, MEM_KIND_MORE);

		mem_block(t, last)->next = more;
		last = more;
	}
	return head;
}

void
mem_chain_free(struct mem_table *t, uint32_t i)
{
	uint32_t next;

	for (; i != MEM_NONE; i = next) {
		struct mem_block *b = mem_block(t, i);

		next = b->next;
		b->kind = MEM_KIND_FREE;
		b->next = t->free;
		t->free = i;
		t->n_used--;
	}
}

/* The longest piece at the cursor, of at most len bytes; *n: its length. */
static char *
advance(struct mem_cursor *c, size_t len, size_t *n)
{
	struct mem_block *b = mem_block(c->t, c->block);
	bool head = b->kind == MEM_KIND_HEAD;
	size_t room = head ? HEAD_ROOM : MORE_ROOM;

	if (c->at == room) {
		c->block = b->next;
		c->at = 0;
		b = mem_block(c->t, c->block);
		assert(b->kind == MEM_KIND_MORE);
		head = false;
		room = MORE_ROOM;
	}
	*n = len < room - c->at ? len : room - c->at;
	c->at += *n;
	return (head ? b->u.head.text : b->u.text) + c->at - *n;
}

void
mem_copy_in(struct mem_cursor *c, struct clq_str s)
{
	size_t n;

	for (; s.len > 0; s.p += n, s.len -= n) {
		char *to = advance(c, s.len, &n);

		memcpy(to, s.p, n);
	}
}

void
mem_copy_out(struct mem_cursor *c, char *to, size_t len)
{
	size_t n;

	for (; len > 0; len -= n) {
		const char *from = advance(c, len, &n);

		if (to != NULL) {
			memcpy(to, from, n);
			to += n;
		}
	}
}

bool
mem_text_begins(struct mem_cursor *c, struct clq_str s)
{
	size_t n;

	for (; s.len > 0; s.p += n, s.len -= n) {
		const char *from = advance(c, s.len, &n);

		if (memcmp(from, s.p, n) != 0)
			return false;
	}
	return true;
}

/* The blocks of an entry: as many as its lengths say, of the right kinds. */
static bool
check_entry(const struct mem_table *t, uint32_t i, uint32_t *n_used)
{
	const struct mem_entry *e;
	uint32_t n;

	if (i >= t->fresh || mem_block(t, i)->kind != MEM_KIND_HEAD)
		return false;
	e = mem_entry(t, i);
	n = mem_table_cost(e->key_len, e->value_len);
	if (n > t->n_used - *n_used)
		return false;
	*n_used += n;
	while (--n > 0) {
		i = mem_block(t, i)->next;
		if (i >= t->fresh || mem_block(t, i)->kind != MEM_KIND_MORE)
			return false;
	}
	return mem_block(t, i)->next == MEM_NONE;
}

static bool
check_buckets(const struct mem_table *t)
{
	const uint32_t *b = (const uint32_t *)(const void *)(t + 1);
	uint32_t n = 0, i;

	for (uint32_t k = 0; k < t->n_buckets; k++)
		for (i = b[k]; i != MEM_NONE; i = mem_entry(t, i)->chain)
			if (i >= t->fresh ||
			    mem_block(t, i)->kind != MEM_KIND_HEAD ||
			    (mem_entry(t, i)->hash & (t->n_buckets - 1)) != k ||
			    ++n > t->n_entries)
				return false;
	return n == t->n_entries;
}

/* Counts bound each walk, so that a circle ends it. */
bool
mem_table_check(const struct mem_table *t)
{
	uint32_t n_free = 0, n_used = 0, n = 0, older = MEM_NONE, i;

	if (t->fresh > t->n_blocks || t->n_used > t->fresh)
		return false;
	for (i = t->free; i != MEM_NONE; i = mem_block(t, i)->next)
		if (i >= t->fresh ||
		    mem_block(t, i)->kind != MEM_KIND_FREE ||
		    ++n_free > t->fresh)
			return false;
	for (i = t->oldest; i != MEM_NONE; i = mem_entry(t, i)->newer) {
		if (!check_entry(t, i, &n_used) || ++n > t->n_entries ||
		    mem_entry(t, i)->older != older)
			return false;
		older = i;
	}
	return older == t->newest && n == t->n_entries &&
	    n_used == t->n_used && n_used + n_free == t->fresh &&
	    check_buckets(t);
}
