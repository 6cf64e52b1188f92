/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding and reading the scoreboards of other processes (see board.h).
 *
 * A scoreboard is a memory file that a master keeps open; /proc shows it to
 * root and to the user who serves. Root sees everybody's, and anybody can make
 * a file of that name and change it while it is looked at. So nothing of it is
 * believed: what is opened must be a memory file, of the process in which it
 * was found; it is never mapped but copied, bounded, into memory of our own;
 * and only the copy is checked and shown, its texts terminated and without
 * escape sequences. What remains is that somebody may run a server, or a
 * picture of one, whose user is told with it.
 */
#include "board.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "printable.h"

/* ---- a copy that is sound ------------------------------------------------ */

static bool
read_at(int fd, void *to, size_t len)
{
	char *p = to;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(fd, p + done, len - done, (off_t)done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* Terminate a text, and put '?' for what no terminal should get. */
static void
clean(char *text, size_t cap)
{
	size_t n, i;

	text[cap - 1] = '\0';
	for (i = 0; text[i] != '\0'; i += n > 0 ? n : 1)
		if ((n = clq_printable(text + i, cap - 1 - i)) == 0)
			text[i] = '?';
}

static void
not_negative(_Atomic(int64_t) *ms)
{
	if (atomic_load(ms) < 0)
		atomic_store(ms, 0);
}

/* size bytes were read. False: no scoreboard of this version. */
static bool
make_sound(struct clq_scoreboard *b, size_t size)
{
	size_t nslots = (size - sizeof *b) / sizeof(struct clq_slot);

	if (memcmp(b->head.magic, CLQ_BOARD_MAGIC, sizeof b->head.magic) != 0 ||
	    b->head.head_size != sizeof *b || b->size != size ||
	    b->head.slot_size != sizeof(struct clq_slot) || b->nslots != nslots)
		return false;
	clean(b->head.version, sizeof b->head.version);
	clean(b->head.ini, sizeof b->head.ini);
	not_negative(&b->started);
	not_negative(&b->reloaded);
	for (size_t i = 0; i < nslots; i++) {
		not_negative(&b->slots[i].started);
		not_negative(&b->slots[i].request_started);
	}
	return true;
}

enum { ALIGNMENT = _Alignof(struct clq_scoreboard) };

bool
cli_board_read(struct cli_board *board)
{
	const size_t most = sizeof(struct clq_scoreboard) +
	    CLQ_SLOTS_MAX * sizeof(struct clq_slot);
	struct stat st;
	size_t size;
	void *copy;

	if (fstat(board->fd, &st) == -1 ||
	    st.st_size < (off_t)sizeof(struct clq_scoreboard) ||
	    st.st_size > (off_t)most)
		return false;
	size = (size_t)st.st_size;
	copy = aligned_alloc(ALIGNMENT, (size + ALIGNMENT - 1) / ALIGNMENT *
	    ALIGNMENT);
	if (copy == NULL)
		return false;
	free(board->copy);
	board->copy = copy;
	return read_at(board->fd, copy, size) &&
	    make_sound(board->copy, size) &&
	    atomic_load(&board->copy->pid) == board->pid;
}

static bool
of_other_version(int fd)
{
	struct clq_board_head head;

	return read_at(fd, &head, sizeof head) &&
	    memcmp(head.magic, CLQ_BOARD_MAGIC, sizeof head.magic) == 0 &&
	    (head.head_size != sizeof(struct clq_scoreboard) ||
	    head.slot_size != sizeof(struct clq_slot));
}

/* ---- finding it ---------------------------------------------------------- */

/* The device that all memory files of the kernel are on. */
static dev_t
memory_device(void)
{
	int fd = memfd_create("device", MFD_CLOEXEC);
	struct stat st = { 0 };

	if (fd == -1)
		return 0;
	if (fstat(fd, &st) == -1)
		st.st_dev = 0;
	close(fd);
	return st.st_dev;
}

/*
 * Open entry name of a folder /proc/PID/fd if it is a memory file of user uid
 * or of root, who may have started the server; else -1. It is looked at before
 * it is opened, since it may have become anything: a FIFO would stop us, a
 * device would do something, a file of somebody's FUSE would never answer.
 */
static int
open_memory_file(int dir, const char *name, uid_t uid)
{
	char path[64];
	struct statx st;
	int place = openat(dir, name, O_PATH | O_CLOEXEC), fd = -1;

	if (place == -1)
		return -1;
	snprintf(path, sizeof path, "/proc/self/fd/%d", place);
	if (statx(place, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE |
	    STATX_UID, &st) == 0 && S_ISREG(st.stx_mode) &&
	    makedev(st.stx_dev_major, st.stx_dev_minor) == memory_device() &&
	    (st.stx_uid == uid || st.stx_uid == 0))
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	close(place);
	return fd;
}

/* The user as whom a process runs. */
static bool
user_of(const char *pid, uid_t *uid)
{
	char path[64], line[256];
	unsigned user;
	bool found = false;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%.20s/status", pid);
	if ((f = fopen(path, "re")) == NULL)
		return false;
	while (!found && fgets(line, sizeof line, f) != NULL)
		found = sscanf(line, "Uid: %*u %u", &user) == 1;
	fclose(f);
	if (found)
		*uid = user;
	return found;
}

/* The scoreboard of which this process is the master, if it is one: workers
 * have it too. At most one, so that nobody can use up the places. */
static void
look_at(struct cli_boards *all, const char *pid)
{
	static const char name[] = "/memfd:" CLQ_BOARD_NAME;
	struct cli_board b = { .pid = (pid_t)strtol(pid, NULL, 10) };
	char path[64], target[64];
	struct dirent *e;
	bool known = user_of(pid, &b.uid), found = false;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
	if ((dir = opendir(path)) == NULL) {
		all->forbidden = all->forbidden || errno == EACCES;
		return;
	}
	while (known && !found && (e = readdir(dir)) != NULL) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, target,
		    sizeof target);

		if (n < (ssize_t)sizeof name - 1 ||
		    memcmp(target, name, sizeof name - 1) != 0 ||
		    (b.fd = open_memory_file(dirfd(dir), e->d_name,
		    b.uid)) == -1)
			continue;
		if ((found = cli_board_read(&b)))
			break;
		all->other_version = all->other_version ||
		    of_other_version(b.fd);
		close(b.fd);
	}
	closedir(dir);
	if (found)
		all->list[all->n++] = b;
	else
		free(b.copy);
}

void
cli_boards_find(struct cli_boards *all, const char *pid)
{
	struct dirent *e;
	DIR *proc;

	if (pid != NULL) {
		look_at(all, pid);
		return;
	}
	proc = opendir("/proc");
	while (proc != NULL && all->n < CLI_BOARDS_MAX &&
	    (e = readdir(proc)) != NULL)
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
			look_at(all, e->d_name);
	if (proc != NULL)
		closedir(proc);
}

void
cli_boards_close(struct cli_boards *all)
{
	for (size_t i = 0; i < all->n; i++) {
		close(all->list[i].fd);
		free(all->list[i].copy);
	}
	all->n = 0;
}
