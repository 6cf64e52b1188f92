/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layout of the shared area: header, hash buckets, blocks of 128 bytes.
 *
 * An entry is a chain of blocks: the first begins with struct mem_entry, the
 * text (key, then value) runs through the rest. Blocks of equal size never
 * fragment. Links are block numbers, since other processes may see the area
 * elsewhere. Blocks from `fresh` on were never used, so that emptying the
 * table costs its buckets only. Nothing here locks.
 */
#ifndef CLQ_CACHE_MEMORY_BLOCKS_H
#define CLQ_CACHE_MEMORY_BLOCKS_H

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include <cliquet/types.h>

#define MEM_NONE	UINT32_MAX

enum mem_kind {
	MEM_KIND_FREE = 0x66726565,	/* values that chance does not write */
	MEM_KIND_HEAD = 0x68656164,
	MEM_KIND_MORE = 0x6d6f7265
};

struct mem_entry {
	uint32_t	chain;		/* next entry of the bucket */
	uint32_t	older;
	uint32_t	newer;
	uint32_t	hash;
	uint32_t	key_len;
	uint32_t	value_len;
	clq_msec	deadline;
};

enum { MEM_BLOCK_SIZE = 128 };

struct mem_block {
	uint32_t		 next;	/* of the entry, or of the free list */
	uint32_t		 kind;
	union {
		struct {
			struct mem_entry entry;
			char	 text[MEM_BLOCK_SIZE - 8 - 32];
		} head;
		char		 text[MEM_BLOCK_SIZE - 8];
	} u;
};

_Static_assert(sizeof(struct mem_entry) == 32, "");
_Static_assert(sizeof(struct mem_block) == MEM_BLOCK_SIZE, "");

struct mem_table {
	pthread_mutex_t	 mutex;
	atomic_bool	 busy;		/* links are being changed */
	uint32_t	 seed;
	uint32_t	 n_buckets;	/* a power of two */
	uint32_t	 n_blocks;
	uint32_t	 fresh;		/* first block never used */
	uint32_t	 free;		/* list of blocks given back */
	uint32_t	 n_used;
	uint32_t	 n_entries;
	uint32_t	 oldest;
	uint32_t	 newest;
	uint32_t	 n_evicted;
	uint32_t	 n_resets;
};

uint32_t mem_count_blocks(size_t max_bytes);
uint32_t mem_count_buckets(size_t max_bytes);

/* Bytes of header and buckets, in whole blocks. */
size_t mem_blocks_offset(uint32_t n_buckets);

static inline uint32_t *
mem_buckets(struct mem_table *t)
{
	return (uint32_t *)(void *)(t + 1);
}

/*
 * Block number i. A number out of range means that somebody wrote over the
 * area; the assertion ends this worker, whose lock then goes to one that
 * empties the table.
 */
static inline struct mem_block *
mem_block(const struct mem_table *t, uint32_t i)
{
	union { const void *c; void *v; } p;

	assert(i < t->fresh);
	p.c = (const char *)t + mem_blocks_offset(t->n_buckets) +
	    (size_t)i * MEM_BLOCK_SIZE;
	return p.v;
}

static inline struct mem_entry *
mem_entry(const struct mem_table *t, uint32_t i)
{
	struct mem_block *b = mem_block(t, i);

	assert(b->kind == MEM_KIND_HEAD);
	return &b->u.head.entry;
}

/* A chain of mem_table_cost() blocks, which must be free; its first. */
uint32_t mem_chain_alloc(struct mem_table *t, uint32_t n);
void mem_chain_free(struct mem_table *t, uint32_t i);

/* A place in the text of an entry: { t, its first block, 0 } at first. */
struct mem_cursor {
	const struct mem_table	*t;
	uint32_t		 block;
	size_t			 at;
};

void mem_copy_in(struct mem_cursor *c, struct clq_str s);

/* to NULL: skip. */
void mem_copy_out(struct mem_cursor *c, char *to, size_t len);

/* True if the text from the cursor on, long enough by its entry, begins with
 * s. */
bool mem_text_begins(struct mem_cursor *c, struct clq_str s);

#endif
