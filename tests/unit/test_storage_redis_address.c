/* SPDX-License-Identifier: Apache-2.0 */
/* URLs of Redis, as the storage and the listener read them. */
#include <cliquet/str.h>

#include <criterion/criterion.h>

#include "arena_fixture.h"
#include "storage/redis_address.h"

TestSuite(redis_address, .init = setup, .fini = teardown);

static struct redis_address
address(const char *url)
{
	struct redis_address a;

	cr_assert(redis_address(arena, clq_str_of(url), &a), "%s", url);
	return a;
}

Test(redis_address, of_a_host)
{
	struct redis_address a = address("redis://");

	cr_expect_str_eq(a.host, "localhost");
	cr_expect_eq(a.port, 6379);
	a = address("redis://u:p%40ss@h:1/2");
	cr_expect_str_eq(a.host, "h");
	cr_expect_str_eq(a.user, "u");
	cr_expect_str_eq(a.password, "p@ss");
	cr_expect_eq(a.port, 1);
	cr_expect_eq(a.number, 2);
	a = address("redis://:p@[::1]:7/");
	cr_expect_str_eq(a.host, "::1");
	cr_expect_null(a.user);
	cr_expect_eq(a.port, 7);
	a = address("redis://u:p@ss@h/1");
	cr_expect_str_eq(a.password, "p@ss");
	cr_expect_str_eq(a.host, "h");
	a = address("redis://[::1]");
	cr_expect_eq(a.port, 6379);
}

Test(redis_address, of_a_socket)
{
	struct redis_address a = address("unix:///run/r.sock?db=3");

	cr_expect_null(a.host);
	cr_expect_str_eq(a.path, "/run/r.sock");
	cr_expect_eq(a.number, 3);
	a = address("unix:///a@b.sock");
	cr_expect_str_eq(a.path, "/a@b.sock");
	cr_expect_null(a.password);
	a = address("unix://:x%2Fy@/r.sock");
	cr_expect_str_eq(a.path, "/r.sock");
	cr_expect_str_eq(a.password, "x/y");
}

Test(redis_address, that_is_none)
{
	static const char *const wrong[] = { "", "redis:", "http://h",
		"rediss://h", "redis://h:", "redis://h:0", "redis://h:x",
		"redis://h:65536",
		"redis://h/x", "redis://h/-1", "redis://[::1", "redis://[::1]x",
		"redis://[::1]:x", "unix://r.sock", "unix://",
		"unix:///r?db=x" };
	struct redis_address a;

	for (size_t i = 0; i < CLQ_COUNT(wrong); i++)
		cr_expect_not(redis_address(arena, clq_str_of(wrong[i]), &a),
		    "%s", wrong[i]);
}
