/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writers' queue: whoever wants to write to a database waits here, in
 * order of arrival, before it asks SQLite for the write lock.
 *
 * SQLite's own waiting is sleep and retry: whoever comes by takes the lock,
 * and under load single writers wait for seconds (median 0.76 s with four of
 * them and synchronous=FULL). With the queue nobody waits longer than those
 * before him work.
 *
 * The queue is a mapped file beside the database, "<database>-queue", so that
 * workers, other servers on this machine and the cliquet command share it.
 * Each writer takes a ticket and holds its slot's mutex until it has done; the
 * next ticket waits for that mutex. The mutexes are robust: the kernel frees
 * those of a killed process, and its successor goes on - first making sure
 * that the dead one's own predecessor has finished. A file left behind by a
 * crash of the machine is made anew by the first to open it, which a file lock
 * tells. SQLite's lock remains the truth; without a queue only fairness is
 * lost.
 */
#include "storage/sqlite.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	QUEUE_MAGIC	= 0x636c7131,	/* "clq1": changes with the layout */
	QUEUE_SLOTS	= 128		/* writers that wait in order */
};

enum slot_state { SLOT_WAITING, SLOT_WORKING, SLOT_LEFT };

struct slot {
	pthread_mutex_t	mutex;		/* held while the ticket lives */
	uint64_t	ticket;
	enum slot_state	state;
};

/* The mapped file. */
struct shared {
	uint32_t	magic;
	uint32_t	size;		/* of this struct */
	pthread_mutex_t	door;		/* of `last` */
	uint64_t	last;		/* ticket given out */
	struct slot	slots[QUEUE_SLOTS];
};

struct sq_queue {
	struct shared	*shared;
	struct slot	*mine;		/* while in the queue, else NULL */
	int		 fd;		/* holds the "in use" lock */
};

/* ---- robust mutexes --------------------------------------------------- */

/* EOWNERDEAD is a success: what the mutex guards is valid at any moment. */
static bool
lock(pthread_mutex_t *mutex, const struct timespec *deadline)
{
	int e = pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, deadline);

	if (e == EOWNERDEAD)
		e = pthread_mutex_consistent(mutex);
	return e == 0;
}

static void
unlock(pthread_mutex_t *mutex)
{
	pthread_mutex_unlock(mutex);
}

static bool
init_mutexes(struct shared *s)
{
	pthread_mutexattr_t attr;
	size_t i;
	int e;

	if (pthread_mutexattr_init(&attr) != 0)
		return false;
	e = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (e == 0)
		e = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	if (e == 0)
		e = pthread_mutex_init(&s->door, &attr);
	for (i = 0; e == 0 && i < QUEUE_SLOTS; i++)
		e = pthread_mutex_init(&s->slots[i].mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	return e == 0;
}

/* ---- the file --------------------------------------------------------- */

static bool
file_lock(int fd, int cmd, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET,
	    .l_len = 1 };
	int e;

	do
		e = fcntl(fd, cmd, &lock);
	while (e == -1 && errno == EINTR && cmd == F_OFD_SETLKW);
	return e == 0;
}

/* As readable and writable for others as the database. */
static int
open_file(const char *path, const char *database)
{
	struct stat st;
	int fd;

	if (stat(database, &st) == -1)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	    0600);
	if (fd == -1 && errno == EEXIST)
		return open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return -1;
	if (geteuid() == 0 && fchown(fd, st.st_uid, st.st_gid) == -1)
		clq_log_warn("sqlite: %s: fchown: %m", path);
	if (fchmod(fd, st.st_mode & 0666) == -1)
		clq_log_warn("sqlite: %s: fchmod: %m", path);
	return fd;
}

/*
 * Map the file; whoever is alone with it makes it anew. The lock for reading
 * is kept as long as the file is in use, and goes with the process.
 */
static struct shared *
map_file(int fd)
{
	bool alone = file_lock(fd, F_OFD_SETLK, F_WRLCK);
	struct shared *s;
	struct stat st;
	bool good;

	if (!alone && !file_lock(fd, F_OFD_SETLKW, F_RDLCK))
		return NULL;
	if (alone && ftruncate(fd, 0) == -1)
		return NULL;
	if (alone && (errno = posix_fallocate(fd, 0, sizeof *s)) != 0)
		return NULL;
	if (fstat(fd, &st) == -1 || st.st_size < (off_t)sizeof *s)
		return NULL;
	s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s == MAP_FAILED)
		return NULL;
	if (alone) {
		good = init_mutexes(s);
		s->size = sizeof *s;
		s->magic = good ? QUEUE_MAGIC : 0;
		good = good && file_lock(fd, F_OFD_SETLK, F_RDLCK);
	} else {
		good = s->magic == QUEUE_MAGIC && s->size == sizeof *s;
		errno = EPROTO;
	}
	if (good)
		return s;
	munmap(s, sizeof *s);
	return NULL;
}

struct sq_queue *
sq_queue_open(const char *database)
{
	struct sq_queue *q = calloc(1, sizeof *q);
	char *path = NULL;

	if (q == NULL || asprintf(&path, "%s-queue", database) == -1) {
		free(q);
		return NULL;
	}
	q->fd = open_file(path, database);
	if (q->fd != -1)
		q->shared = map_file(q->fd);
	if (q->shared == NULL) {
		clq_log_once(CLQ_LOG_WARNING, path, "sqlite: %s: %m; writers "
		    "are not queued and may wait unevenly", path);
		if (q->fd != -1)
			close(q->fd);
		free(q);
		q = NULL;
	}
	free(path);
	return q;
}

void
sq_queue_close(struct sq_queue **queue)
{
	struct sq_queue *q = *queue;

	*queue = NULL;
	if (q == NULL)
		return;
	sq_queue_leave(q);	/* else the mutex would outlive its mapping */
	munmap(q->shared, sizeof *q->shared);
	close(q->fd);
	free(q);
}

/* ---- the queue -------------------------------------------------------- */

static void
set_deadline(struct timespec *t, clq_msec timeout)
{
	clock_gettime(CLOCK_MONOTONIC, t);
	t->tv_sec += (time_t)(timeout / 1000);
	t->tv_nsec += (long)(timeout % 1000) * 1000000;
	if (t->tv_nsec >= 1000000000) {
		t->tv_sec++;
		t->tv_nsec -= 1000000000;
	}
}

/*
 * Take the next ticket and its slot. The slot is free unless more writers
 * wait than there are slots; then they wait at the door.
 */
static struct slot *
take_ticket(struct shared *s, const struct timespec *deadline)
{
	struct slot *slot;

	if (!lock(&s->door, deadline))
		return NULL;
	slot = &s->slots[(s->last + 1) % QUEUE_SLOTS];
	if (lock(&slot->mutex, deadline)) {
		slot->ticket = ++s->last;
		slot->state = SLOT_WAITING;
	} else {
		slot = NULL;
	}
	unlock(&s->door);
	return slot;
}

/* Wait for the tickets before ours; only one of them can be at work. */
static bool
wait_turn(struct shared *s, uint64_t ticket, const struct timespec *deadline)
{
	struct slot *slot;
	uint64_t before;
	bool last;

	for (before = ticket - 1; before > 0 && ticket - before < QUEUE_SLOTS;
	    before--) {
		slot = &s->slots[before % QUEUE_SLOTS];
		if (!lock(&slot->mutex, deadline))
			return false;
		/*
		 * Free, so its owner has left, or gave up, or died. In the
		 * last two cases, unless it was at work already, the one
		 * before it may still be.
		 */
		last = slot->ticket != before || slot->state != SLOT_WAITING;
		unlock(&slot->mutex);
		if (last)
			break;
	}
	return true;
}

bool
sq_queue_enter(struct sq_queue *q, clq_msec timeout)
{
	struct timespec deadline;
	struct slot *slot;

	set_deadline(&deadline, timeout);
	slot = take_ticket(q->shared, &deadline);
	if (slot == NULL)
		return false;
	if (!wait_turn(q->shared, slot->ticket, &deadline)) {
		unlock(&slot->mutex);	/* left as SLOT_WAITING: gave up */
		return false;
	}
	slot->state = SLOT_WORKING;
	q->mine = slot;
	return true;
}

void
sq_queue_leave(struct sq_queue *q)
{
	if (q->mine == NULL)
		return;
	q->mine->state = SLOT_LEFT;
	unlock(&q->mine->mutex);
	q->mine = NULL;
}
