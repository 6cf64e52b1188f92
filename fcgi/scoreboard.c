/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared table of workers (see scoreboard.h).
 *
 * An anonymous shared mapping: it needs no file and goes with the last
 * process. A worker touches its own cache lines only.
 */
#include "scoreboard.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>

#include <errno.h>
#include <sys/mman.h>

enum { SLOW_MS = 1000 };

struct clq_scoreboard *
clq_scoreboard_new(size_t nslots)
{
	size_t size = sizeof(struct clq_scoreboard) +
	    nslots * sizeof(struct clq_slot);
	struct clq_scoreboard *b = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (b == MAP_FAILED) {
		clq_log_err("scoreboard: %s", strerror(errno));
		return NULL;
	}
	b->nslots = nslots;
	b->size = size;
	atomic_store(&b->started, clq_now());
	return b;
}

void
clq_scoreboard_free(struct clq_scoreboard **board)
{
	if (*board != NULL)
		munmap(*board, (*board)->size);
	*board = NULL;
}

void
clq_slot_begin(struct clq_slot *slot, clq_msec now, struct clq_str method,
    struct clq_str path)
{
	size_t cap = sizeof slot->text, n;

	n = method.len < 16 ? method.len : 16;
	if (n > 0)
		memcpy(slot->text, method.p, n);
	slot->text[n++] = ' ';
	if (path.len < cap - n)
		cap = n + path.len;
	if (cap > n)
		memcpy(slot->text + n, path.p, cap - n);
	atomic_store_explicit(&slot->text_len, (uint32_t)cap,
	    memory_order_relaxed);
	atomic_store_explicit(&slot->state, CLQ_WORKER_BUSY,
	    memory_order_relaxed);
	atomic_store_explicit(&slot->request_started, now,
	    memory_order_release);
}

void
clq_slot_end(struct clq_slot *slot, clq_msec now)
{
	int64_t since = atomic_load_explicit(&slot->request_started,
	    memory_order_relaxed);

	atomic_store_explicit(&slot->request_started, 0,
	    memory_order_release);
	atomic_store_explicit(&slot->state, CLQ_WORKER_IDLE,
	    memory_order_relaxed);
	atomic_store_explicit(&slot->requests, atomic_load_explicit(
	    &slot->requests, memory_order_relaxed) + 1, memory_order_relaxed);
	if (now - since >= SLOW_MS)
		atomic_fetch_add(&slot->slow, 1);
}

void
clq_slot_text(const struct clq_slot *slot, char *out, size_t cap)
{
	size_t n = atomic_load(&slot->text_len);

	if (n > sizeof slot->text)
		n = sizeof slot->text;
	if (n > cap - 1)
		n = cap - 1;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)slot->text[i];

		out[i] = c > 0x20 && c < 0x7f ? (char)c : c == ' ' ? ' ' : '?';
	}
	out[n] = '\0';
}
