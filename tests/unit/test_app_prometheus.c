/* SPDX-License-Identifier: Apache-2.0 */
/* The table of series in shared memory, and its text. */
#include "apps/prometheus/text.h"

#include <criterion/criterion.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1024 * 1024, ANY = 1000000 };

static struct prom_table *table;
static struct clq_arena *arena;

static const char *const labels[] = { "auth", "userid", NULL };
static const struct clq_metric users = {
	.size = sizeof users, .name = "users", .help = "Users\nby \\name.",
	.kind = CLQ_METRIC_COUNTER, .labels = labels, .open = 1u << 1,
};
static const struct clq_metric hits = {
	.size = sizeof hits, .name = "hits", .help = "Hits.",
	.kind = CLQ_METRIC_COUNTER,
};
static const struct clq_metric timer = {
	.size = sizeof timer, .name = "seconds", .help = "Time.",
	.kind = CLQ_METRIC_TIMER,
};
static const double bounds[] = { 0.01, 1, 2.5 };

static void
setup(void)
{
	table = prom_table_new(MIB);
	arena = clq_arena_new();
	cr_assert_not_null(table);
}

static void
teardown(void)
{
	prom_table_free(&table);
	clq_arena_free(&arena);
}

TestSuite(prometheus, .init = setup, .fini = teardown);

static struct prom_family *
family(const struct clq_metric *m, const char *name)
{
	struct prom_family *f = prom_family_get(table, m, name, bounds,
	    CLQ_COUNT(bounds));

	cr_assert_not_null(f);
	prom_generation_use(table, prom_generation_new(table), &f, 1, false);
	return f;
}

/* False if some labels were left out. */
static bool
user(struct prom_family *f, const char *id, uint32_t max)
{
	struct clq_str values[2] = { CLQ_STR("basic"), clq_str_of(id) };

	return prom_observe(table, f, 1, values, max);
}

static const char *
text(void)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, 0);
	prom_text(&b, table, "x_");
	return clq_arena_cstr(arena, clq_buf_str(&b));
}

/* Sum of all series of a counter. */
static uint64_t
total(const struct prom_family *f)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i <= f->mask; i++)
		for (const struct prom_series *s = f->chains[i]; s != NULL;
		    s = s->next)
			sum += s->values[0];
	return sum;
}

#define HAS(wanted)							\
	cr_expect_not_null(strstr(text(), wanted), "%s not in %s",	\
	    wanted, text())

Test(prometheus, counters_have_their_labels)
{
	struct prom_family *f = family(&users, "x_users");

	cr_expect(user(f, "bob", ANY));
	cr_expect(user(f, "bob", ANY));
	cr_expect(user(f, "a\"b\\c\nd", ANY));
	HAS("# HELP x_users_total Users\\nby \\\\name.\n"
	    "# TYPE x_users_total counter\n");
	HAS("\nx_users_total{auth=\"basic\",userid=\"bob\"} 2\n");
	HAS("\nx_users_total{auth=\"basic\",userid=\"a\\\"b\\\\c\\nd\"} 1\n");
	HAS("\nx_metrics_series 2\n");
}

Test(prometheus, what_is_not_utf8_is_shown_all_the_same)
{
	struct prom_family *f = family(&users, "x_users");

	cr_expect(user(f, "\xc3\xa9", ANY));
	cr_expect(user(f, "\xe9", ANY));
	HAS("userid=\"\xc3\xa9\"} 1");
	HAS("userid=\"\\\\xe9\"} 1");
}

Test(prometheus, long_values_are_cut_between_characters)
{
	char long_[400];
	struct prom_family *f = family(&users, "x_users");

	memset(long_, 'a', sizeof long_);
	memcpy(long_ + CLQ_METRIC_MAX_VALUE - 1, "\xc3\xa9", 2);
	long_[399] = '\0';
	cr_expect(user(f, long_, ANY));
	long_[CLQ_METRIC_MAX_VALUE - 1] = '\0';
	cr_expect(user(f, long_, ANY));
	cr_expect_eq(f->nseries, 1);
}

Test(prometheus, buckets_are_cumulated)
{
	struct prom_family *f = family(&timer, "x_seconds");

	cr_expect(prom_observe(table, f, 10000000, NULL, ANY));
	cr_expect(prom_observe(table, f, 10000001, NULL, ANY));
	cr_expect(prom_observe(table, f, 3000000000, NULL, ANY));
	HAS("# TYPE x_seconds histogram\n"
	    "x_seconds_bucket{le=\"0.01\"} 1\n"
	    "x_seconds_bucket{le=\"1.0\"} 2\n"
	    "x_seconds_bucket{le=\"2.5\"} 2\n"
	    "x_seconds_bucket{le=\"+Inf\"} 3\n"
	    "x_seconds_count 3\n"
	    "x_seconds_sum 3.020000001\n");
}

Test(prometheus, gauges_and_summaries)
{
	static const struct clq_metric gauge = {
		.size = sizeof gauge, .name = "g", .help = "G.",
		.kind = CLQ_METRIC_GAUGE,
	}, summary = {
		.size = sizeof summary, .name = "s", .help = "S.",
		.kind = CLQ_METRIC_SUMMARY,
	};
	struct prom_family *f = family(&gauge, "x_g");

	cr_expect(prom_observe(table, f, 7, NULL, ANY));
	cr_expect(prom_observe(table, f, -3, NULL, ANY));
	HAS("# TYPE x_g gauge\nx_g -3\n");
	f = family(&summary, "x_s");
	cr_expect(prom_observe(table, f, 100, NULL, ANY));
	cr_expect(prom_observe(table, f, 20, NULL, ANY));
	HAS("# TYPE x_s summary\nx_s_count 2\nx_s_sum 120\n");
}

Test(prometheus, too_many_series_lose_what_clients_chose)
{
	struct prom_family *f = family(&users, "x_users");
	char id[16];

	for (int i = 0; i < 30; i++) {
		(void)snprintf(id, sizeof id, "u%d", i);
		cr_expect_eq(user(f, id, 10), i < 10);
	}
	cr_expect(user(f, "u3", 10), "what is there goes on");
	cr_expect_eq(total(f), 31, "nothing is lost");
	HAS("x_users_total{auth=\"basic\",userid=\"\"} 20\n");
	HAS("x_users_total{auth=\"basic\",userid=\"u3\"} 2\n");
	HAS("x_metrics_blanked_total{metric=\"x_users\"} 20\n");
	HAS("x_metrics_dropped_total 0\n");
}

Test(prometheus, a_full_table_has_place_for_the_rest)
{
	struct prom_family *f = family(&users, "x_users"), *more;
	char id[16];
	uint64_t n = 0;

	do
		(void)snprintf(id, sizeof id, "u%llu",
		    (unsigned long long)n++);
	while (user(f, id, ANY));
	cr_expect_gt(n, 4000);
	cr_expect_leq(prom_table_used(table), MIB);
	cr_expect_eq(total(f), n);
	more = family(&hits, "x_hits");
	cr_expect(prom_observe(table, more, 1, NULL, ANY), "the last eighth");
	/* No family: lost, and counted. */
	cr_expect_not(prom_observe(table, NULL, 1, NULL, ANY));
	HAS("x_metrics_dropped_total 1\n");
}

Test(prometheus, no_memory_at_all)
{
	struct prom_family *f;
	char name[32];
	int n = 0;

	do
		(void)snprintf(name, sizeof name, "x_m%d", n++);
	while ((f = prom_family_get(table, &hits, name, NULL, 0)) != NULL);
	cr_expect_gt(n, 100);
	cr_expect_leq(prom_table_used(table), MIB);
}

Test(prometheus, a_configuration_goes_on_where_the_last_one_stopped)
{
	static const char *const others[] = { "auth", NULL };
	struct clq_metric changed = users;
	struct prom_family *a = family(&users, "x_users"), *b, *both[2];
	uint32_t newer = prom_generation_new(table);

	changed.labels = others;
	changed.open = 0;
	cr_expect(user(a, "bob", ANY));
	cr_expect_eq(prom_family_get(table, &users, "x_users", NULL, 0), a);
	b = prom_family_get(table, &changed, "x_users", NULL, 0);
	cr_expect_neq(a, b, "other labels start anew");
	cr_expect_neq(prom_family_get(table, &timer, "x_seconds", bounds, 3),
	    prom_family_get(table, &timer, "x_seconds", bounds, 2),
	    "and so do other buckets");
	cr_expect(user(b, NULL, ANY));
	HAS("userid=\"bob\"} 1\n");
	prom_generation_use(table, newer, &b, 1, true);
	HAS("x_users_total{auth=\"basic\"} 1\n");
	HAS("# TYPE x_users_created gauge\nx_users_created{auth=\"basic\"} ");
	cr_expect_null(strstr(text(), "bob"), "only the newest is shown");
	/* A straggler of the old configuration changes nothing. */
	prom_generation_use(table, newer - 1, &a, 1, false);
	cr_expect_null(strstr(text(), "bob"));
	HAS("x_users_created");
	both[0] = a;
	both[1] = NULL;
	prom_generation_use(table, prom_generation_new(table), both, 2,
	    false);
	HAS("userid=\"bob\"} 1\n");
}

/* One of the processes that count. */
static void
worker(struct prom_family *f, struct prom_family *h, int seed, int n)
{
	char id[16];

	for (int i = 0; i < n; i++) {
		(void)snprintf(id, sizeof id, "u%d", (seed + i * 7) % 2000);
		(void)user(f, id, ANY);
		(void)prom_observe(table, h, 1, NULL, ANY);
	}
}

Test(prometheus, processes_add_up)
{
	struct prom_family *f = family(&users, "x_users");
	struct prom_family *h = family(&hits, "x_hits");
	enum { PROCESSES = 4, EACH = 20000 };
	pid_t pids[PROCESSES];
	int status;

	for (int i = 0; i < PROCESSES; i++) {
		if ((pids[i] = fork()) == 0) {
			worker(f, h, i, EACH);
			_exit(0);
		}
	}
	for (int i = 0; i < PROCESSES; i++)
		cr_expect_eq(waitpid(pids[i], &status, 0), pids[i]);
	cr_expect_eq(total(f), PROCESSES * EACH);
	cr_expect_eq(total(h), PROCESSES * EACH);
	cr_expect_eq(f->nseries, 2000, "no series is there twice");
}

Test(prometheus, killed_at_any_moment)
{
	struct prom_family *h = family(&hits, "x_hits");
	struct prom_family *f = family(&users, "x_users");
	uint64_t sum, before = 0, users_then;
	int status;
	pid_t pid;

	for (int i = 0; i < 60; i++) {
		if ((pid = fork()) == 0) {
			worker(f, h, i * 33, ANY);
			_exit(0);
		}
		usleep((useconds_t)(i * 37 % 1500));
		kill(pid, SIGKILL);
		cr_expect_eq(waitpid(pid, &status, 0), pid);
		sum = total(h);
		users_then = total(f);
		cr_expect_geq(sum, before, "never backwards");
		cr_expect_leq(users_then - sum, (uint64_t)i + 1);
		before = sum;
	}
	cr_expect(user(f, "after", ANY));
	HAS("userid=\"after\"} 1\n");
}
