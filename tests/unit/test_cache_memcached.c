/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is memcached's own in memcached.so: the list of hosts, lost and lying
 * servers, items of others, generations, item limits. What any cache promises
 * is in tests/conformance/cache.c.
 *
 * Each test starts its memcached on a socket in a temporary folder; without
 * the program those tests are skipped.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

/* White-box: the files of a plugin, which no library offers. */
#include "cache/memcached.c"
#include "cache/memcached_host.c"
#include "core/settings_load.h"

enum { MINUTE = 60000 };

static struct clq_arena *arena;
static char dir[64];
static void *cache;

static void
setup(void)
{
	arena = clq_arena_new();
	strcpy(dir, "/tmp/cliquet-mc.XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	cache = NULL;
}

static void
teardown(void)
{
	struct clq_str command = clq_arena_printf(arena, "rm -rf %s", dir);

	if (cache != NULL)
		mc_close(cache);
	cr_assert_eq(system(command.p), 0);
	clq_arena_free(&arena);
}

TestSuite(memcached, .init = setup, .fini = teardown, .timeout = 120);

static void
sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static const char *
socket_path(const char *name)
{
	return clq_arena_printf(arena, "%s/%s", dir, name).p;
}

static struct sockaddr_un
address_of(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	cr_assert_lt(strlen(path), sizeof(sa.sun_path));
	strcpy(sa.sun_path, path);
	return sa;
}

/* A memcached on path; killed with this process at the latest. */
static pid_t
start(const char *path, const char *item_limit)
{
	struct sockaddr_un sa = address_of(path);
	pid_t pid;

	unlink(path);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("memcached", "memcached", "-u", "root", "-s", path,
		    "-m", "64", "-I", item_limit, (char *)NULL);
		_exit(127);
	}
	cr_assert_gt(pid, 0);
	for (int i = 0; i < 3000; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		int rc = connect(fd, (struct sockaddr *)&sa, sizeof(sa));

		close(fd);
		if (rc == 0)
			return pid;
		if (waitpid(pid, NULL, WNOHANG) == pid)
			cr_skip_test("memcached does not start");
		sleep_ms(10);
	}
	cr_assert_fail("memcached does not answer");
	return -1;
}

static void
stop(pid_t pid)
{
	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

static enum clq_status
configure(const char *ini, void **self)
{
	struct clq_settings *s;
	struct clq_str text = clq_arena_printf(arena, "[app:main]\n%s\n", ini);
	enum clq_status st;

	cr_assert_eq(clq_settings_parse("test", text, &s), CLQ_OK);
	st = mc_configure(s, "cache", self);
	clq_settings_free(&s);
	return st;
}

static void
open_hasty(const char *hosts, const char *prefix)
{
	struct clq_str ini = clq_arena_printf(arena,
	    "cache_hosts = %s\ncache_prefix = %s", hosts, prefix);

	cr_assert_eq(configure(ini.p, &cache), CLQ_OK);
	cr_assert_eq(mc_open(cache), CLQ_OK);
}

/* A server on a busy machine has more time to answer than in production. */
static void
open_cache(const char *hosts, const char *prefix)
{
	struct mc_cache *m;

	open_hasty(hosts, prefix);
	m = cache;
	for (size_t i = 0; i < m->n_hosts; i++)
		m->hosts[i].timeout = MINUTE / 2;
}

/* A probe has its own time; one that was too short is made again. */
static enum clq_status
ping(void)
{
	enum clq_status st = CLQ_UNAVAILABLE;
	clq_msec before;

	for (int i = 0; i < 20 && st != CLQ_OK; i++) {
		before = clq_monotonic();
		st = mc_ping(cache, false, MC_TIMEOUT);
		if (clq_monotonic() - before < MC_TIMEOUT)
			break;
	}
	for (size_t i = 0; i < ((struct mc_cache *)cache)->n_hosts; i++)
		((struct mc_cache *)cache)->hosts[i].timeout = MINUTE / 2;
	return st;
}

static enum clq_status
get(const char *key)
{
	struct clq_str v;

	return mc_get(cache, arena, clq_str_of(key), &v);
}

static enum clq_status
set(const char *key, const char *value)
{
	return mc_set(cache, clq_str_of(key), clq_str_of(value), MINUTE);
}

static bool
holds(const char *key, const char *value)
{
	struct clq_str v;

	return mc_get(cache, arena, clq_str_of(key), &v) == CLQ_OK &&
	    clq_str_is(v, value);
}

Test(memcached, reads_hosts)
{
	static const struct {
		const char *text, *address;
		int port;		/* -1: refused */
	} cases[] = {
		{ "127.0.0.1:11212", "127.0.0.1", 11212 },
		{ "cache.example.org", "cache.example.org", 11211 },
		{ "[::1]:11212", "::1", 11212 },
		{ "[fe80::1]", "fe80::1", 11211 },
		{ "/run/memcached.sock", "/run/memcached.sock", 0 },
		{ "h:65535", "h", 65535 },
		{ "h:65536", "", -1 }, { "h:0", "", -1 }, { "h:", "", -1 },
		{ "h:-1", "", -1 }, { "h:11a", "", -1 }, { ":11211", "", -1 },
		{ "[::1", "", -1 }, { "[::1]11211", "", -1 },
		{ "[]:1", "", -1 },
		{ "::1", "", -1 }, { "", "", -1 }, { "[", "", -1 },
		{ "h:99999999999999999999", "", -1 },
	};

	for (size_t i = 0; i < CLQ_COUNT(cases); i++) {
		struct mc_host h;
		bool ok = mc_host_parse(&h, arena, clq_str_of(cases[i].text));

		cr_assert_eq(ok, cases[i].port >= 0, "%s", cases[i].text);
		if (!ok)
			continue;
		cr_assert_str_eq(h.address, cases[i].address);
		cr_assert_eq(h.port, cases[i].port);
	}
}

Test(memcached, refuses_a_wrong_list_of_hosts)
{
	cr_assert_eq(configure("", &cache), CLQ_INVALID);
	cr_assert_eq(configure("cache_hosts = a:1 b:x", &cache), CLQ_INVALID);
	cr_assert_null(cache);
}

Test(memcached, spreads_keys_over_hosts)
{
	enum { KEYS = 3000 };
	struct mc_host a[3], b[4];
	const char *names[] = { "one:1", "two:1", "three:1", "four:1" };
	int count[3] = { 0 }, moved = 0;

	for (size_t i = 0; i < 4; i++) {	/* b: reversed, and one more */
		cr_assert(mc_host_parse(&b[3 - i], arena,
		    clq_str_of(names[i])));
		if (i < 3)
			cr_assert(mc_host_parse(&a[i], arena,
			    clq_str_of(names[i])));
	}
	for (int i = 0; i < KEYS; i++) {
		struct clq_str key = clq_arena_printf(arena, "key%d", i);
		struct mc_host *h = mc_host_of(a, 3, key);
		struct mc_host *more = mc_host_of(b, 4, key);

		count[h - a]++;
		cr_assert_str_eq(mc_host_of(b + 1, 3, key)->name, h->name,
		    "whatever the order");
		if (strcmp(more->name, h->name) == 0)
			continue;
		moved++;
		cr_assert_str_eq(more->name, "four:1", "only to the new one");
	}
	for (int i = 0; i < 3; i++)
		cr_assert(count[i] > KEYS / 4 && count[i] < KEYS / 2);
	cr_assert(moved > KEYS / 6 && moved < KEYS / 3);
}

Test(memcached, never_sends_a_key_that_is_a_command)
{
	const char *path = socket_path("s");
	struct clq_str bad = CLQ_STR("k 0 0 1\r\nx\r\nflush_all\r\nget k"), v;
	clq_msec left;
	pid_t pid = start(path, "1m");

	open_cache(path, "");
	cr_assert_eq(set("k", "v"), CLQ_OK);
	cr_assert_eq(mc_set(cache, bad, CLQ_STR("v"), MINUTE), CLQ_OK);
	cr_assert_eq(mc_get(cache, arena, bad, &v), CLQ_NOT_FOUND);
	cr_assert_eq(mc_take(cache, arena, bad, &v), CLQ_NOT_FOUND);
	cr_assert_eq(mc_ttl(cache, bad, &left), CLQ_NOT_FOUND);
	cr_assert_eq(mc_expire(cache, bad, MINUTE), CLQ_NOT_FOUND);
	cr_assert(holds("k", "v"));
	stop(pid);
}

/* Set the two keys, as soon as that succeeds. */
static void
set_both(void)
{
	clq_msec end = clq_monotonic() + MINUTE;

	while (set("k", "v") != CLQ_OK || set("other", "w") != CLQ_OK) {
		cr_assert_lt(clq_monotonic(), end);
		sleep_ms(100);
	}
}

/* The first wait for a stopped server, and a thousand more requests, in ms. */
static void
stopped(pid_t pid, clq_msec *first, clq_msec *more)
{
	clq_msec before, end;
	struct clq_str v = { NULL, 0 };

	set_both();
	kill(pid, SIGSTOP);
	cr_assert_eq(waitpid(pid, NULL, WUNTRACED), pid);
	before = clq_monotonic();
	cr_assert_eq(get("k"), CLQ_UNAVAILABLE);
	*first = clq_monotonic() - before;
	before = clq_monotonic();
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(get("k"), CLQ_UNAVAILABLE);
	*more = clq_monotonic() - before;
	kill(pid, SIGCONT);
	end = clq_monotonic() + MINUTE;
	while (mc_get(cache, arena, CLQ_STR("other"), &v) ==
	    CLQ_UNAVAILABLE) {
		cr_assert_lt(clq_monotonic(), end);
		sleep_ms(100);
	}
	cr_assert(clq_str_is(v, "w"), "no answer to an older question");
	cr_assert(holds("k", "v"));
}

/* A server that does not answer costs one wait, then nothing. What is slow for
 * another reason is not so each time. */
Test(memcached, waits_once_for_a_stopped_server)
{
	const char *path = socket_path("s");
	pid_t pid = start(path, "1m");
	clq_msec first, more;
	int i = 0;

	open_hasty(path, "");
	do {
		stopped(pid, &first, &more);
		cr_assert_geq(first, 900);
	} while ((first >= 2500 || more >= 400) && ++i < 3);
	cr_assert_lt(first, 2500);
	cr_assert_lt(more, 400);
	stop(pid);
}

/* A server that talks as answer says: a listener in a process of its own,
 * which counts its connections. NULL: says nothing and closes. It answers the
 * greeting, so as to be believed so far. */
static pid_t
start_liar(const char *path, const char *answer, atomic_int *n_connections)
{
	struct sockaddr_un sa = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), c;
	char buf[4096];
	ssize_t len;
	pid_t pid;

	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	cr_assert_eq(listen(fd, 100), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid != 0) {
		close(fd);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		c = accept(fd, NULL, NULL);
		++*n_connections;
		while (answer != NULL && (len = read(c, buf, sizeof(buf))) >
		    0) {
			const char *say = answer;

			if (len > 6 && memcmp(buf, "delete", 6) == 0)
				say = "NOT_FOUND\r\n";
			if (write(c, say, strlen(say)) < 0)
				break;
		}
		close(c);
	}
}

static atomic_int *
shared_int(void)
{
	atomic_int *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert(p != MAP_FAILED);
	return p;
}

Test(memcached, makes_no_storm_of_connections)
{
	const char *path = socket_path("s");
	atomic_int *n = shared_int();
	pid_t pid = start_liar(path, NULL, n);
	clq_msec before = clq_monotonic();

	open_cache(path, "");
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(get("k"), CLQ_UNAVAILABLE);
	if (clq_monotonic() - before < 400)
		cr_assert_leq(*n, 3, "%d connections", *n);
	while (*n == 0)			/* it may be slow to count */
		sleep_ms(10);
	stop(pid);
}

Test(memcached, believes_no_liar)
{
	static const char *const answers[] = {
		"\r\n", "garbage\r\n", "VALUE\r\n", "END", "STORED\r\n",
		"VALUE k 1668051201 99999999999999999999 1\r\n",
		"VALUE k 1668051201 -5 1\r\nx\r\nEND\r\n",
		"VALUE k\r\nVALUE k\r\n", "VALUE k 1 1 1\r\nxEND\r\n",
		"VALUE k 1668051201 1000 1\r\nshort\r\nEND\r\n",
		"VALUE other 0 1 1\r\nx\r\nEND\r\n", "ERROR\r\n",
		"SERVER_ERROR busy\r\n", "CLIENT_ERROR no\r\n",
	};
	atomic_int *n = shared_int();

	for (size_t i = 0; i < CLQ_COUNT(answers); i++) {
		const char *path = socket_path("liar");
		struct clq_str v;
		pid_t pid;

		unlink(path);
		pid = start_liar(path, answers[i], n);
		open_cache(path, "");
		cr_assert_neq(get("k"), CLQ_OK, "%zu", i);
		cr_assert_neq(mc_take(cache, arena, CLQ_STR("k"), &v), CLQ_OK);
		cr_assert_neq(mc_expire(cache, CLQ_STR("k"), 9), CLQ_OK);
		(void)set("k", "v");
		stop(pid);
		mc_close(cache);
		cache = NULL;
	}
}

Test(memcached, loses_only_the_keys_of_a_lost_host)
{
	struct clq_str a = clq_str_of(socket_path("a")),
	    b = clq_str_of(socket_path("b"));
	struct clq_str both = clq_arena_printf(arena, "%s %s", a.p, b.p);
	pid_t pa = start(a.p, "1m"), pb = start(b.p, "1m");
	int lost = 0, kept = 0;

	open_cache(both.p, "");
	for (int i = 0; i < 100; i++)
		cr_assert_eq(set(clq_arena_printf(arena, "k%d", i).p, "v"),
		    CLQ_OK);
	cr_assert_eq(ping(), CLQ_OK);
	stop(pb);
	for (int i = 0; i < 100; i++) {
		const char *key = clq_arena_printf(arena, "k%d", i).p;
		enum clq_status st = get(key);

		cr_assert(st == CLQ_OK || st == CLQ_UNAVAILABLE);
		lost += st == CLQ_UNAVAILABLE;
		kept += st == CLQ_OK;
		cr_assert_eq(set(key, "w"), st, "a key never moves");
	}
	cr_assert_gt(lost, 20);
	cr_assert_gt(kept, 20);
	cr_assert_eq(ping(), CLQ_UNAVAILABLE);
	cr_assert_eq(mc_flush(cache, CLQ_STR("k")), CLQ_UNAVAILABLE);
	pb = start(b.p, "1m");
	cr_assert_eq(ping(), CLQ_OK, "probes at once");
	for (int i = 0; i < 100; i++)
		cr_assert_eq(get(clq_arena_printf(arena, "k%d", i).p),
		    CLQ_NOT_FOUND, "flush reached the one that was up");
	stop(pa);
	stop(pb);
}

/* A client of its own, as another program would be. */
static memcached_st *
raw_client(const char *path)
{
	memcached_st *mc = memcached_create(NULL);

	cr_assert_not_null(mc);
	cr_assert_eq(memcached_server_add_unix_socket(mc, path),
	    MEMCACHED_SUCCESS);
	return mc;
}

Test(memcached, ignores_what_others_store)
{
	const char *path = socket_path("s");
	pid_t pid = start(path, "1m");
	memcached_st *mc = raw_client(path);
	struct clq_str v;

	open_cache(path, "");
	cr_assert_eq(memcached_set(mc, "k", 1, "\"theirs\"", 8, 0, 0),
	    MEMCACHED_SUCCESS);
	cr_assert_eq(get("k"), CLQ_NOT_FOUND);
	cr_assert_eq(mc_take(cache, arena, CLQ_STR("k"), &v), CLQ_NOT_FOUND);
	cr_assert_eq(memcached_set(mc, "k", 1, "x", 1, 0, FLAG_VALUE),
	    MEMCACHED_SUCCESS);
	cr_assert_eq(get("k"), CLQ_NOT_FOUND, "too short for a head");
	cr_assert_eq(set("k", "ours"), CLQ_OK);
	cr_assert(holds("k", "ours"));

	/* Even in the place of the generation. */
	v = ((struct mc_cache *)cache)->gen_key;
	cr_assert_eq(memcached_set(mc, v.p, v.len, "junk", 4, 0, 0),
	    MEMCACHED_SUCCESS);
	cr_assert_eq(get("k"), CLQ_NOT_FOUND);
	cr_assert_eq(set("k", "ours"), CLQ_OK);
	cr_assert(holds("k", "ours"));
	memcached_free(mc);
	stop(pid);
}

Test(memcached, forgets_all_when_a_generation_is_lost)
{
	const char *path = socket_path("s");
	pid_t pid = start(path, "1m");
	memcached_st *mc = raw_client(path);
	struct clq_str gen;

	open_cache(path, "");
	cr_assert_eq(set("k", "v"), CLQ_OK);
	gen = ((struct mc_cache *)cache)->gen_key;
	cr_assert_eq(memcached_delete(mc, gen.p, gen.len, 0),
	    MEMCACHED_SUCCESS);
	cr_assert_eq(get("k"), CLQ_NOT_FOUND);
	cr_assert_eq(set("other", "w"), CLQ_OK);
	cr_assert_eq(get("k"), CLQ_NOT_FOUND, "nothing comes back");
	cr_assert(holds("other", "w"));
	memcached_free(mc);
	stop(pid);
}

Test(memcached, flushes_its_own_prefix_only)
{
	const char *path = socket_path("s");
	pid_t pid = start(path, "1m");
	memcached_st *mc = raw_client(path);
	void *ours, *theirs;

	cr_assert_eq(memcached_set(mc, "x", 1, "x", 1, 0, 0),
	    MEMCACHED_SUCCESS);
	open_cache(path, "ours:");
	ours = cache;
	open_cache(path, "theirs:");
	theirs = cache;
	cr_assert_eq(set("theirs:k", "v"), CLQ_OK);
	cache = ours;
	cr_assert_eq(set("ours:k", "v"), CLQ_OK);
	cr_assert_eq(mc_flush(ours, CLQ_STR("ours:")), CLQ_OK);
	cr_assert_eq(get("ours:k"), CLQ_NOT_FOUND);
	cache = theirs;
	cr_assert(holds("theirs:k", "v"));
	cr_assert_eq(memcached_exist(mc, "x", 1), MEMCACHED_SUCCESS);
	cr_assert_eq(mc_flush(ours, CLQ_STR("")), CLQ_OK);
	cr_assert_eq(get("theirs:k"), CLQ_NOT_FOUND);
	cr_assert_eq(memcached_exist(mc, "x", 1), MEMCACHED_NOTFOUND);
	mc_close(ours);
	memcached_free(mc);
	stop(pid);
}

Test(memcached, leaves_no_old_value_when_the_new_is_too_large)
{
	const char *path = socket_path("s");
	pid_t pid = start(path, "512k");
	char *large = clq_arena_alloc(arena, 600001);

	memset(large, 'v', 600000);
	open_cache(path, "");
	cr_assert_eq(set("k", "old"), CLQ_OK);
	cr_assert_eq(set("k", large), CLQ_OK);
	cr_assert_eq(get("k"), CLQ_NOT_FOUND);
	cr_assert_eq(set("k", "new"), CLQ_OK);
	cr_assert(holds("k", "new"));
	stop(pid);
}

/* What was taken leaves no item behind. */
Test(memcached, removes_what_is_taken)
{
	const char *path = socket_path("s");
	pid_t pid = start(path, "1m");
	memcached_st *mc = raw_client(path);
	struct clq_str v;

	open_cache(path, "");
	cr_assert_eq(set("k", "v"), CLQ_OK);
	cr_assert_eq(memcached_exist(mc, "k", 1), MEMCACHED_SUCCESS);
	cr_assert_eq(mc_take(cache, arena, CLQ_STR("k"), &v), CLQ_OK);
	cr_assert_eq(memcached_exist(mc, "k", 1), MEMCACHED_NOTFOUND);
	memcached_free(mc);
	stop(pid);
}
