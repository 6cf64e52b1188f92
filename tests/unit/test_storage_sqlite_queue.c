/* SPDX-License-Identifier: Apache-2.0 */
/* The writers' queue between processes: order, death, patience. */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>

/* White-box: tickets, which no header shows. */
#include "storage/sqlite_queue.c"

enum {
	CROWD		= 6,
	CROWD_TURNS	= 1500,		/* of all together */
	LONG_MSEC	= 40000,
	TRIES		= 3		/* of what a busy machine spoils */
};

/* What the processes tell each other. */
struct notes {
	_Atomic int	inside;		/* in the queue's turn at once */
	_Atomic int	overlaps;
	_Atomic int	n;
	int		order[64];
	_Atomic int	ready;
	_Atomic int	turns[CROWD];
	_Atomic int	all_turns;
	_Atomic int	disorders;
	uint64_t	served;		/* ticket; guarded by the queue */
	_Atomic bool	in;
};

static char folder[64];
static char path[80];
static struct notes *notes;
static struct sq_queue *watch;	/* the test's own view of the queue */

static void
setup(void)
{
	strcpy(folder, "/tmp/clq-queue-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/db", folder);
	close(open(path, O_CREAT | O_WRONLY, 0640));
	notes = mmap(NULL, sizeof *notes, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(notes != MAP_FAILED);
}

static void
teardown(void)
{
	char file[96];

	sq_queue_close(&watch);
	snprintf(file, sizeof file, "%s-queue", path);
	unlink(file);
	unlink(path);
	rmdir(folder);
	munmap(notes, sizeof *notes);
}

#define QueueTest(...)							\
	Test(__VA_ARGS__, .init = setup, .fini = teardown, .timeout = 120)

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
	notes->order[notes->n++] = number;
	sq_queue_leave(q);
	sq_queue_close(&q);
	return 0;
}

static uint64_t
last_ticket(void)
{
	if (watch == NULL)
		watch = sq_queue_open(path);
	cr_assert_not_null(watch);
	return __atomic_load_n(&watch->shared->last, __ATOMIC_SEQ_CST);
}

/* Returns when it stands in the queue. */
static pid_t
fork_turn(int number, clq_msec timeout)
{
	uint64_t before = last_ticket();
	pid_t pid = fork();

	if (pid == 0)
		_exit(one_turn(number, timeout));
	while (last_ticket() == before)
		usleep(1000);
	return pid;
}

static pid_t
fork_holder(void)
{
	struct sq_queue *q;
	pid_t pid;

	notes->in = false;
	pid = fork();
	if (pid == 0) {
		q = sq_queue_open(path);
		if (q == NULL || !sq_queue_enter(q, LONG_MSEC))
			_exit(2);
		notes->in = true;
		for (;;)
			pause();
	}
	while (!notes->in)
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
	cr_expect_eq(notes->n, 0, "they wait");
	sq_queue_leave(q);
	for (i = 0; i < CROWD; i++)
		cr_expect_eq(status_of(pids[i]), 0);
	for (i = 0; i < CROWD; i++)
		cr_expect_eq(notes->order[i], i);
	sq_queue_close(&q);
	cr_expect_null(q);
}

static int
crowd_member(int number)
{
	struct sq_queue *q = sq_queue_open(path);

	notes->ready++;
	while (notes->ready < CROWD)
		usleep(1000);
	while (q != NULL && notes->all_turns < CROWD_TURNS) {
		if (!sq_queue_enter(q, LONG_MSEC))
			return 2;
		notes->overlaps += notes->inside++ != 0;
		notes->disorders += q->mine->ticket != notes->served + 1;
		notes->served = q->mine->ticket;
		notes->turns[number]++;
		notes->all_turns++;
		usleep(200);
		notes->inside--;
		sq_queue_leave(q);
	}
	sq_queue_close(&q);
	return 0;
}

/* The turns of whoever had fewest and most. */
static void
crowd(int *least, int *most)
{
	pid_t pids[CROWD];
	int i;

	memset(notes, 0, sizeof *notes);
	notes->served = last_ticket();
	for (i = 0; i < CROWD; i++)
		if ((pids[i] = fork()) == 0)
			_exit(crowd_member(i));
	*least = CROWD_TURNS;
	*most = 0;
	for (i = 0; i < CROWD; i++) {
		cr_expect_eq(status_of(pids[i]), 0);
		if (notes->turns[i] < *least)
			*least = notes->turns[i];
		if (notes->turns[i] > *most)
			*most = notes->turns[i];
	}
	cr_expect_eq(notes->overlaps, 0);
	cr_expect_eq(notes->disorders, 0, "tickets are served in order");
}

/* Who does not get a processor does not queue; but not each time. */
QueueTest(queue, is_fair_under_load)
{
	int i, least = 0, most = 1;

	for (i = 0; i < TRIES && least * 2 < most; i++)
		crowd(&least, &most);
	cr_expect_geq(least * 2, most, "turns between %d and %d", least,
	    most);
}

/* How long until the next gets its turn. */
static clq_msec
turn_after_a_kill(void)
{
	pid_t holder = fork_holder(), next = fork_turn(1, LONG_MSEC);
	clq_msec killed;

	cr_expect_eq(notes->n, 0);
	killed = clq_monotonic();
	kill(holder, SIGKILL);
	cr_expect_eq(status_of(holder), -SIGKILL);
	cr_expect_eq(status_of(next), 0);
	notes->n = 0;
	return clq_monotonic() - killed;
}

QueueTest(queue, goes_on_when_the_holder_is_killed)
{
	clq_msec took = LONG_MSEC;
	int i;

	for (i = 0; i < TRIES && took > 3000; i++)
		took = turn_after_a_kill();
	cr_expect_leq(took, 3000);
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
	cr_expect_eq(notes->n, 0, "we are still inside");
	sq_queue_leave(q);
	cr_expect_eq(status_of(next), 0);
	cr_expect_eq(notes->order[0], 2);
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
	cr_expect_eq(notes->n, 0, "we are still inside");
	sq_queue_leave(q);
	cr_expect_eq(status_of(patient), 0);
	cr_expect_eq(notes->order[0], 2);
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
