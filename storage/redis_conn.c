/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection of a worker, its commands and scripts.
 *
 * A new connection loads all scripts; they are called by their digest, and
 * loaded again if the server forgot them. After a loss the first attempt to
 * connect is made at once, each later one waits longer, and requests that come
 * meanwhile fail at once.
 */
#include "storage/redis.h"

#include <cliquet/clock.h>
#include <cliquet/crypto.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum {
	FIRST_DELAY_MSEC	= 100,
	LAST_DELAY_MSEC		= 5000,
	COMPLAIN_MSEC		= 10000
};

/* A part of a key, as rd_key_object() writes it. */
#define PART_OF_KEY							\
	"local function part(id) "					\
	"  return (id:gsub('%%', '%%25'):gsub('%.', '%%2E')) "	\
	"end "

/* clang-format off */
static const char *const scripts[RD__SCRIPTS] = {
	/*
	 * ARGV: token, then kind, key, value, score of each change. A script
	 * that fails half way is not undone: the types of all keys are looked at
	 * before anything changes.
	 */
	[RD_COMMIT] =
	"if redis.call('GET', 'cliquet.lock') ~= ARGV[1] then"
	"  return 'LOST' "
	"end "
	"local want = { a = 'set', r = 'set', z = 'zset', x = 'zset' } "
	"local seen = {} "
	"for i = 2, #ARGV, 4 do "
	"  local t, key = want[ARGV[i]], ARGV[i + 1] "
	"  if t and not seen[key] then "
	"    seen[key] = true "
	"    local is = redis.call('TYPE', key).ok "
	"    if is ~= 'none' and is ~= t then"
	"      return redis.error_reply('ERR ' .. key .. ' is a ' .. is"
	"        .. ', not a ' .. t) "
	"    end "
	"  end "
	"end "
	"for i = 2, #ARGV, 4 do "
	"  local op, key, value = ARGV[i], ARGV[i + 1], ARGV[i + 2] "
	"  if op == 's' then redis.call('SET', key, value) "
	"  elseif op == 'd' then redis.call('DEL', key) "
	"  elseif op == 'a' then redis.call('SADD', key, value) "
	"  elseif op == 'r' then redis.call('SREM', key, value) "
	"  elseif op == 'z' then redis.call('ZADD', key, ARGV[i + 3], value) "
	"  else redis.call('ZREM', key, value) end "
	"end "
	"redis.call('DEL', 'cliquet.lock') "
	"redis.call('DEL', 'cliquet.free') "
	"redis.call('LPUSH', 'cliquet.free', 1) "
	"redis.call('PEXPIRE', 'cliquet.free', 1000) "
	"return 'OK'",
	/* ARGV: token. One of those who wait is woken. */
	[RD_UNLOCK] =
	"if redis.call('GET', 'cliquet.lock') == ARGV[1] then "
	"  redis.call('DEL', 'cliquet.lock') "
	"  redis.call('DEL', 'cliquet.free') "
	"  redis.call('LPUSH', 'cliquet.free', 1) "
	"  redis.call('PEXPIRE', 'cliquet.free', 1000) "
	"end "
	"return 'OK'",
	/*
	 * ARGV: before an id, after an id, set of ids; and the last two for
	 * tombstones, or not. All at one moment: an object may be deleted or
	 * made again meanwhile. The texts of live objects have an odd place,
	 * those of tombstones an even one.
	 */
	[RD_LOAD] = PART_OF_KEY
	"local out = {} "
	"for i = 2, #ARGV, 2 do "
	"  for _, id in ipairs(redis.call('SMEMBERS', ARGV[i + 1])) do "
	"    local text = redis.call('GET', ARGV[1] .. part(id) .. ARGV[i]) "
	"    out[#out + 1] = i == 2 and text or '' "
	"    out[#out + 1] = i == 4 and text or '' "
	"  end "
	"end "
	"return out",
	/*
	 * ARGV: sorted set, before an id, after an id, after an id of a
	 * tombstone or '', lowest, highest, 'up' or 'down', limit. Places are
	 * as above.
	 */
	[RD_BY_TIME] = PART_OF_KEY
	"local out, from, n = {}, 0, tonumber(ARGV[8]) "
	"local up = ARGV[7] == 'up' "
	"while #out < 2 * n do "
	"  local ids "
	"  if up then ids = redis.call('ZRANGEBYSCORE', ARGV[1], ARGV[5],"
	"    ARGV[6], 'LIMIT', from, n) "
	"  else ids = redis.call('ZREVRANGEBYSCORE', ARGV[1], ARGV[6],"
	"    ARGV[5], 'LIMIT', from, n) end "
	"  if #ids == 0 then break end "
	"  from = from + #ids "
	"  for _, id in ipairs(ids) do "
	"    if #out == 2 * n then break end "
	"    local text = redis.call('GET', ARGV[2] .. part(id) .. ARGV[3]) "
	"    if text then out[#out + 1] = text; out[#out + 1] = '' "
	"    elseif ARGV[4] ~= '' then "
	"      text = redis.call('GET', ARGV[2] .. part(id) .. ARGV[4]) "
	"      if text then out[#out + 1] = ''; out[#out + 1] = text end "
	"    end "
	"  end "
	"end "
	"return out",
	/* ARGV: key. */
	[RD_TAKE] =
	"local v = redis.call('GET', ARGV[1]) "
	"if v then redis.call('DEL', ARGV[1]) end "
	"return v",
};
/* clang-format on */

/* ---- commands ---------------------------------------------------------- */

void
rd_call(struct rd_call *c, struct clq_arena *arena, const char *name)
{
	*c = (struct rd_call){ .arena = arena };
	rd_arg(c, clq_str_of(name));
}

void
rd_arg(struct rd_call *c, struct clq_str s)
{
	size_t cap;

	if (c->n == c->cap) {
		cap = c->cap > 0 ? c->cap * 2 : 8;
		c->argv = clq_arena_grow(c->arena, (void *)c->argv,
		    c->cap * sizeof *c->argv, cap * sizeof *c->argv);
		c->lengths = clq_arena_grow(c->arena, c->lengths,
		    c->cap * sizeof *c->lengths, cap * sizeof *c->lengths);
		c->cap = cap;
	}
	c->argv[c->n] = s.p != NULL ? s.p : "";
	c->lengths[c->n++] = s.len;
}

void
rd_arg_int(struct rd_call *c, int64_t v)
{
	rd_arg(c, clq_arena_printf(c->arena, "%lld", (long long)v));
}

struct clq_str
rd_text(const redisReply *r)
{
	if (r == NULL || (r->type != REDIS_REPLY_STRING &&
	    r->type != REDIS_REPLY_STATUS))
		return (struct clq_str){ NULL, 0 };
	return (struct clq_str){ r->str, (size_t)r->len };
}

/* ---- failures ---------------------------------------------------------- */

static void
complain(struct rd_db *db, const char *why)
{
	clq_msec now = clq_monotonic();

	if (!db->complained || now - db->complained_at >= COMPLAIN_MSEC) {
		clq_log_err("redis: %s: %s", db->shown, why);
		db->complained_at = now;
	}
	db->complained = true;
}

static void
lost(struct rd_db *db)
{
	complain(db, db->conn != NULL && db->conn->errstr[0] != '\0' ?
	    db->conn->errstr : "the connection is lost");
	rd_disconnect(db);
	db->doomed = CLQ_UNAVAILABLE;
}

/* An error reply; its first word is its kind. */
static void
refused(struct rd_db *db, struct clq_str why)
{
	static const char *const passing[] = { "LOADING", "BUSY", "OOM",
		"MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MISCONF",
		"NOREPLICAS" };
	size_t i;

	db->doomed = CLQ_FAILED;
	if (clq_str_starts(why, "READONLY"))
		db->doomed = CLQ_READONLY;
	for (i = 0; i < CLQ_COUNT(passing); i++)
		if (clq_str_starts(why, passing[i]))
			db->doomed = CLQ_UNAVAILABLE;
	clq_log_err("redis: %s: %.*s", db->shown, CLQ_FMT(why));
}

/* ---- sending and receiving ---------------------------------------------- */

void
rd_send(struct rd_db *db, const struct rd_call *c)
{
	if (db->conn == NULL)
		return;
	if (redisAppendCommandArgv(db->conn, (int)c->n, c->argv,
	    c->lengths) != REDIS_OK)
		lost(db);
}

redisReply *
rd_receive(struct rd_db *db, struct clq_arena *arena)
{
	void *p = NULL;
	redisReply *r;

	if (db->conn == NULL) {
		if (db->doomed == CLQ_OK)
			db->doomed = CLQ_UNAVAILABLE;
		return NULL;
	}
	if (redisGetReply(db->conn, &p) != REDIS_OK || p == NULL) {
		lost(db);
		return NULL;
	}
	r = p;
	clq_arena_defer(arena, freeReplyObject, r);
	if (r->type != REDIS_REPLY_ERROR)
		return r;
	if (strncmp(r->str, "NOSCRIPT", 8) != 0)	/* its caller's */
		refused(db, (struct clq_str){ r->str, (size_t)r->len });
	return NULL;
}

redisReply *
rd_ask(struct rd_db *db, const struct rd_call *c)
{
	rd_send(db, c);
	return rd_receive(db, c->arena);
}

void
rd_script(struct rd_call *c, struct clq_arena *arena, const struct rd_db *db,
    enum rd_script script)
{
	rd_call(c, arena, "EVALSHA");
	rd_arg(c, clq_str_of(db->sha[script]));
	rd_arg(c, CLQ_STR("0"));
}

redisReply *
rd_ask_script(struct rd_db *db, struct rd_call *c, enum rd_script script)
{
	redisReply *r = rd_ask(db, c);

	if (r != NULL || db->doomed != CLQ_OK)
		return r;
	c->argv[0] = "EVAL";
	c->lengths[0] = 4;
	c->argv[1] = scripts[script];
	c->lengths[1] = strlen(scripts[script]);
	return rd_ask(db, c);
}

/* ---- connecting -------------------------------------------------------- */

void
rd_disconnect(struct rd_db *db)
{
	if (db->conn != NULL)
		redisFree(db->conn);	/* says nothing: it may be a parent's */
	db->conn = NULL;
}

static struct timeval
timeval_of(clq_msec t)
{
	return (struct timeval){ .tv_sec = t / 1000,
		.tv_usec = t % 1000 * 1000 };
}

static bool
login(struct rd_db *db, struct clq_arena *arena)
{
	const struct redis_address *a = &db->address;
	struct rd_call c;

	if (a->password != NULL) {
		rd_call(&c, arena, "AUTH");
		if (a->user != NULL)
			rd_arg(&c, clq_str_of(a->user));
		rd_arg(&c, clq_str_of(a->password));
		if (rd_ask(db, &c) == NULL)
			return false;
	}
	rd_call(&c, arena, "SELECT");
	rd_arg_int(&c, a->number);
	return rd_ask(db, &c) != NULL;
}

static bool
load_scripts(struct rd_db *db, struct clq_arena *arena)
{
	struct rd_call c;
	struct clq_str sha;
	size_t i;

	for (i = 0; i < RD__SCRIPTS; i++) {
		rd_call(&c, arena, "SCRIPT");
		rd_arg(&c, CLQ_STR("LOAD"));
		rd_arg(&c, clq_str_of(scripts[i]));
		sha = rd_text(rd_ask(db, &c));
		if (sha.len != sizeof db->sha[i] - 1)
			return false;
		memcpy(db->sha[i], sha.p, sha.len);
	}
	return true;
}

/* Which run of the server this is: a restarted one gives itself another name.
 * One that does not tell has none. */
static bool
learn_run(struct rd_db *db, struct clq_arena *arena)
{
	const struct clq_str name = CLQ_STR("run_id:");
	struct clq_str info, line, run;
	struct rd_call c;

	rd_call(&c, arena, "INFO");
	rd_arg(&c, CLQ_STR("server"));
	info = rd_text(rd_ask(db, &c));
	db->run_id[0] = '\0';
	while (clq_str_next(&info, '\n', &line)) {
		if (!clq_str_starts(line, name.p))
			continue;
		run = clq_str_trim(clq_str_sub(line, name.len, line.len));
		if (clq_str_find(run, ':', 0) == run.len)
			snprintf(db->run_id, sizeof db->run_id, "%.*s",
			    CLQ_FMT(run));
	}
	return db->doomed == CLQ_OK;
}

static bool
begin_session(struct rd_db *db)
{
	struct clq_arena *arena = clq_arena_new();
	redisReply *r = NULL;
	struct rd_call c;
	bool good;

	good = rd_set_timeout(db, db->timeout) && login(db, arena) &&
	    load_scripts(db, arena) && learn_run(db, arena);
	if (good) {
		rd_call(&c, arena, "CLIENT");
		rd_arg(&c, CLQ_STR("ID"));
		r = rd_ask(db, &c);
		good = r != NULL && r->type == REDIS_REPLY_INTEGER;
	}
	if (good)
		db->client_id = r->integer;
	clq_arena_free(&arena);
	return good;
}

/* The server hung up while nobody looked: nothing else is to be read now. */
static void
check_idle(struct rd_db *db)
{
	struct pollfd pfd = { .fd = db->conn->fd, .events = POLLIN };

	if (db->pid != getpid() || poll(&pfd, 1, 0) > 0)
		rd_disconnect(db);
}

static enum clq_status
back_off(struct rd_db *db)
{
	rd_disconnect(db);
	db->delay = db->delay == 0 ? FIRST_DELAY_MSEC : db->delay * 2;
	if (db->delay > LAST_DELAY_MSEC)
		db->delay = LAST_DELAY_MSEC;
	db->retry_at = clq_monotonic() + db->delay / 2 +
	    clq_random_below((uint32_t)db->delay);
	return db->doomed = CLQ_UNAVAILABLE;
}

bool
rd_set_timeout(struct rd_db *db, clq_msec timeout)
{
	db->timeout = timeout;
	return db->conn == NULL || redisSetTimeout(db->conn,
	    timeval_of(timeout)) == REDIS_OK;
}

enum clq_status
rd_connect(struct rd_db *db)
{
	struct timeval t = timeval_of(db->connect_timeout < db->timeout ?
	    db->connect_timeout : db->timeout);
	const struct redis_address *a = &db->address;

	if (db->conn != NULL)
		check_idle(db);
	if (db->conn != NULL)
		return CLQ_OK;
	if (db->delay > 0 && clq_monotonic() < db->retry_at)
		return db->doomed = CLQ_UNAVAILABLE;
	db->conn = a->path != NULL ? redisConnectUnixWithTimeout(a->path, t) :
	    redisConnectWithTimeout(a->host, a->port, t);
	db->pid = getpid();
	if (db->conn == NULL || db->conn->err != 0) {
		lost(db);
		return back_off(db);
	}
	(void)fcntl(db->conn->fd, F_SETFD, FD_CLOEXEC);
	if (!begin_session(db)) {
		if (db->conn == NULL || db->doomed != CLQ_UNAVAILABLE)
			complain(db, "the session cannot begin; see above");
		return back_off(db);
	}
	if (db->complained)
		clq_log_info("redis: %s: connected again", db->shown);
	db->complained = false;
	db->delay = 0;
	return CLQ_OK;
}
