/* SPDX-License-Identifier: Apache-2.0 */
/* The writers' queue between processes: order, death, patience. */
#include <cliquet/clock.h>

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/sqlite.h"

enum { CROWD = 6, LONG_MSEC = 20000 };

struct shared {
	_Atomic int	inside;		/* in the queue's turn at once */
	_Atomic int	overlaps;
	_Atomic int	n;
	int		order[64];
	_Atomic int	turns[CROWD];
	_Atomic bool	stop;
	_Atomic bool	in;
};

static char folder[64];
static char path[80];
static struct shared *shared;

static void
setup(void)
{
	strcpy(folder, "/tmp/clq-queue-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/db", folder);
	close(open(path, O_CREAT | O_WRONLY, 0640));
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(shared != MAP_FAILED);
}

static void
teardown(void)
{
	char file[96];

	snprintf(file, sizeof file, "%s-queue", path);
	unlink(file);
	unlink(path);
	rmdir(folder);
	munmap(shared, sizeof *shared);
}

#define QueueTest(...)							\
	Test(__VA_ARGS__, .init = setup, .fini = teardown, .timeout = 60)

static int
status_of(pid_t pid)
{
	int status = 0;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Take one turn, note when it came. */
static int
one_turn(int number, clq_msec timeout)
{
	struct sq_queue *q = sq_queue_open(path);

	if (q == NULL || !sq_queue_enter(q, timeout))
		return 2;
	shared->order[shared->n++] = number;
	sq_queue_leave(q);
	sq_queue_close(&q);
	return 0;
}

static pid_t
fork_turn(int number, clq_msec timeout)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(one_turn(number, timeout));
	usleep(50000);		/* so that it arrives before the next */
	return pid;
}

static pid_t
fork_holder(void)
{
	struct sq_queue *q;
	pid_t pid = fork();

	if (pid == 0) {
		q = sq_queue_open(path);
		if (q == NULL || !sq_queue_enter(q, LONG_MSEC))
			_exit(2);
		shared->in = true;
		for (;;)
			pause();
	}
	while (!shared->in)
		usleep(1000);
	return pid;
}

QueueTest(queue, serves_in_order_of_arrival)
{
	struct sq_queue *q = sq_queue_open(path);
	pid_t pids[CROWD];
	int i;

	cr_assert_not_null(q);
	cr_assert(sq_queue_enter(q, LONG_MSEC));
	for (i = 0; i < CROWD; i++)
		pids[i] = fork_turn(i, LONG_MSEC);
	cr_expect_eq(shared->n, 0, "they wait");
	sq_queue_leave(q);
	for (i = 0; i < CROWD; i++)
		cr_expect_eq(status_of(pids[i]), 0);
	for (i = 0; i < CROWD; i++)
		cr_expect_eq(shared->order[i], i);
	sq_queue_close(&q);
	cr_expect_null(q);
}

static int
crowd_member(int number)
{
	struct sq_queue *q = sq_queue_open(path);

	while (q != NULL && !shared->stop) {
		if (!sq_queue_enter(q, LONG_MSEC))
			return 2;
		shared->overlaps += shared->inside++ != 0;
		shared->turns[number]++;
		usleep(200);
		shared->inside--;
		sq_queue_leave(q);
	}
	sq_queue_close(&q);
	return 0;
}

QueueTest(queue, is_fair_under_load)
{
	pid_t pids[CROWD];
	int i, least = INT32_MAX, most = 0;

	for (i = 0; i < CROWD; i++)
		if ((pids[i] = fork()) == 0)
			_exit(crowd_member(i));
	usleep(1000000);
	shared->stop = true;
	for (i = 0; i < CROWD; i++) {
		cr_expect_eq(status_of(pids[i]), 0);
		if (shared->turns[i] < least)
			least = shared->turns[i];
		if (shared->turns[i] > most)
			most = shared->turns[i];
	}
	cr_expect_eq(shared->overlaps, 0);
	cr_expect_geq(least * 2, most, "turns between %d and %d", least,
	    most);
}

QueueTest(queue, goes_on_when_the_holder_is_killed)
{
	pid_t holder = fork_holder(), next = fork_turn(1, LONG_MSEC);
	clq_msec killed = clq_monotonic();

	cr_expect_eq(shared->n, 0);
	kill(holder, SIGKILL);
	cr_expect_eq(status_of(holder), -SIGKILL);
	cr_expect_eq(status_of(next), 0);
	cr_expect_leq(clq_monotonic() - killed, 3000);
}

QueueTest(queue, does_not_pass_the_holder_when_a_waiter_is_killed)
{
	struct sq_queue *q = sq_queue_open(path);
	pid_t victim, next;

	cr_assert(sq_queue_enter(q, LONG_MSEC));
	victim = fork_turn(1, LONG_MSEC);
	next = fork_turn(2, LONG_MSEC);
	kill(victim, SIGKILL);
	cr_expect_eq(status_of(victim), -SIGKILL);
	usleep(100000);
	cr_expect_eq(shared->n, 0, "we are still inside");
	sq_queue_leave(q);
	cr_expect_eq(status_of(next), 0);
	cr_expect_eq(shared->order[0], 2);
	sq_queue_close(&q);
}

QueueTest(queue, lets_those_go_who_lose_patience)
{
	struct sq_queue *q = sq_queue_open(path);
	pid_t hasty, patient;

	cr_assert(sq_queue_enter(q, LONG_MSEC));
	hasty = fork_turn(1, 100);
	patient = fork_turn(2, LONG_MSEC);
	cr_expect_eq(status_of(hasty), 2);
	usleep(100000);
	cr_expect_eq(shared->n, 0, "we are still inside");
	sq_queue_leave(q);
	cr_expect_eq(status_of(patient), 0);
	cr_expect_eq(shared->order[0], 2);
	sq_queue_close(&q);
}

QueueTest(queue, goes_round_its_slots_many_times)
{
	struct sq_queue *q = sq_queue_open(path);
	int i;

	for (i = 0; i < 1000; i++) {
		cr_assert(sq_queue_enter(q, 100));
		sq_queue_leave(q);
	}
	sq_queue_close(&q);
}

QueueTest(queue, left_by_a_crash_is_made_anew)
{
	struct sq_queue *q;
	char file[96];
	struct stat st;
	int fd, i;

	/* As after a power failure: locked by processes that are no more. */
	snprintf(file, sizeof file, "%s-queue", path);
	fd = open(file, O_RDWR | O_CREAT, 0600);
	for (i = 0; i < 4096; i++)
		cr_assert_eq(write(fd, "\x55\x55\x55\x55", 4), 4);
	close(fd);
	q = sq_queue_open(path);
	cr_assert_not_null(q);
	cr_expect(sq_queue_enter(q, 100));
	sq_queue_close(&q);
	cr_assert_eq(stat(file, &st), 0);
}

QueueTest(queue, is_as_private_as_the_database)
{
	struct sq_queue *q = sq_queue_open(path);
	char file[96];
	struct stat st;

	snprintf(file, sizeof file, "%s-queue", path);
	cr_assert_eq(stat(file, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0640);
	sq_queue_close(&q);
}

QueueTest(queue, cannot_be_where_there_is_no_folder)
{
	cr_expect_null(sq_queue_open("/nonexistent/folder/db"));
}
