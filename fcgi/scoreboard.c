/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared table of workers (see scoreboard.h).
 *
 * The memory file has no name in any folder and goes with the last process. A
 * worker touches its own cache lines only.
 */
#include "scoreboard.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW };

/* Shared memory of so many zeroes, in a memory file if the kernel has them. */
static struct clq_scoreboard *
map_new(size_t size)
{
	int fd = memfd_create(CLQ_BOARD_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd != -1 && (ftruncate(fd, (off_t)size) == -1 ||
	    fcntl(fd, F_ADD_SEALS, SEALS) == -1)) {
		close(fd);
		fd = -1;
	}
	/* Not closed: that it is open is how others find it. */
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
	    fd != -1 ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS, fd, 0);
}

struct clq_scoreboard *
clq_scoreboard_new(size_t nslots, const char *ini)
{
	size_t size = sizeof(struct clq_scoreboard) +
	    nslots * sizeof(struct clq_slot);
	struct clq_scoreboard *b = map_new(size);
	char *path = ini != NULL ? realpath(ini, NULL) : NULL;

	if (b == MAP_FAILED) {
		clq_log_err("scoreboard: %s", strerror(errno));
		free(path);
		return NULL;
	}
	memcpy(b->head.magic, CLQ_BOARD_MAGIC, sizeof b->head.magic);
	b->head.head_size = sizeof *b;
	b->head.slot_size = sizeof(struct clq_slot);
	snprintf(b->head.version, sizeof b->head.version, "%s", CLQ_VERSION);
	if (path != NULL && strlen(path) < sizeof b->head.ini)
		snprintf(b->head.ini, sizeof b->head.ini, "%s", path);
	free(path);
	b->nslots = nslots;
	b->size = size;
	atomic_store(&b->pid, getpid());
	atomic_store(&b->generation, 1);
	atomic_store(&b->wanted, 1);
	atomic_store(&b->waiting, -1);
	atomic_store(&b->backlog, -1);
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
clq_scoreboard_queue(struct clq_scoreboard *board, int waiting, int backlog)
{
	atomic_store(&board->waiting, waiting);
	atomic_store(&board->backlog, backlog);
	if (waiting > atomic_load(&board->waiting_most))
		atomic_store(&board->waiting_most, waiting);
}

enum { EMPTY, FULL, TAKEN };

void
clq_scoreboard_leave(struct clq_scoreboard *board, const struct clq_lost *lost,
    clq_msec ms)
{
	for (size_t i = 0; i < CLQ_LOST_MAX; i++) {
		struct clq_lost_entry *e = &board->lost[i];

		if (atomic_load(&e->full) != EMPTY)
			continue;
		e->lost = *lost;
		e->ms = ms;
		atomic_store(&e->full, FULL);
		return;
	}
}

bool
clq_scoreboard_take(struct clq_scoreboard *board, struct clq_lost *lost,
    clq_msec *ms)
{
	for (size_t i = 0; i < CLQ_LOST_MAX; i++) {
		struct clq_lost_entry *e = &board->lost[i];
		int full = FULL;

		if (!atomic_compare_exchange_strong(&e->full, &full, TAKEN))
			continue;
		*lost = e->lost;
		*ms = e->ms;
		atomic_store(&e->full, EMPTY);
		return true;
	}
	return false;
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
clq_slot_end(struct clq_slot *slot, clq_msec now, clq_msec slow)
{
	int64_t since = atomic_load_explicit(&slot->request_started,
	    memory_order_relaxed);

	atomic_store_explicit(&slot->request_started, 0,
	    memory_order_release);
	atomic_store_explicit(&slot->state, CLQ_WORKER_IDLE,
	    memory_order_relaxed);
	atomic_store_explicit(&slot->requests, atomic_load_explicit(
	    &slot->requests, memory_order_relaxed) + 1, memory_order_relaxed);
	if (slow > 0 && now - since >= slow)
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
