/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outbox in the storage: lanes, events put aside, and who delivers.
 *
 * Lists of a resource that no client can reach. Entries leave without a
 * tombstone. Several servers may share one database, so a lane has an owner,
 * written down with the time at which his right ends; an owner on this machine
 * whose process has ended has lost it at once, though another process may have
 * got its number since.
 */
#include "outbox.h"

#include <cliquet/clock.h>
#include <cliquet/json.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESOURCE	CLQ_STR(".outbox")

struct clq_coll
clq_outbox_lane(struct clq_arena *arena, const struct clq_outbox *box,
    int lane)
{
	return (struct clq_coll){ RESOURCE, clq_arena_printf(arena,
	    "/outbox/%s/%d", box->name, lane) };
}

struct clq_coll
clq_outbox_aside(struct clq_arena *arena, const struct clq_outbox *box)
{
	return (struct clq_coll){ RESOURCE, clq_arena_printf(arena,
	    "/outbox/%s/aside", box->name) };
}

/* ---- transactions -------------------------------------------------------- */

static enum clq_status
begin(struct clq_server *srv, enum clq_tx_mode mode)
{
	return srv->storage.plugin->backend->begin(srv->storage.self, mode);
}

/* The status that counts: rc, or what the commit says. */
static enum clq_status
finish(struct clq_server *srv, enum clq_status rc)
{
	enum clq_status end = srv->storage.plugin->backend->finish(
	    srv->storage.self, rc == CLQ_OK);

	return rc != CLQ_OK ? rc : end;
}

/* ---- looking -------------------------------------------------------------- */

static const struct clq_sort oldest_first = {
	{ "last_modified", sizeof "last_modified" - 1 }, false
};

enum clq_status
clq_outbox_read(struct clq_server *srv, struct clq_arena *arena,
    const struct clq_coll *coll, size_t n, struct clq_page *out)
{
	const struct clq_query q = { .coll = *coll, .sorts = &oldest_first,
	    .nsorts = 1, .limit = n };
	enum clq_status rc;

	if ((rc = begin(srv, CLQ_TX_READ)) != CLQ_OK)
		return rc;
	return finish(srv, srv->storage.ops->list(srv->storage.self, arena,
	    &q, out));
}

enum clq_status
clq_outbox_look(struct clq_server *srv, struct clq_arena *arena,
    const struct clq_outbox *box, struct clq_outbox_state *out)
{
	const struct clq_storage_ops *ops = srv->storage.ops;
	struct clq_outbox_state state = { 0, 0, 0 };
	struct clq_query q = { .sorts = &oldest_first, .nsorts = 1,
	    .limit = 1 };
	enum clq_status rc;
	int64_t n;

	if ((rc = begin(srv, CLQ_TX_READ)) != CLQ_OK)
		return rc;
	for (int lane = 0; lane < CLQ_LANES && rc == CLQ_OK; lane++) {
		struct clq_page page = { NULL, 0 };

		q.coll = clq_outbox_lane(arena, box, lane);
		rc = ops->list(srv->storage.self, arena, &q, &page);
		if (rc != CLQ_OK || page.n == 0)
			continue;
		if (state.oldest == 0 ||
		    page.objects[0].last_modified < state.oldest)
			state.oldest = page.objects[0].last_modified;
		rc = ops->count(srv->storage.self, &q, &n);
		state.waiting += rc == CLQ_OK ? n : 0;
	}
	q.coll = clq_outbox_aside(arena, box);
	if (rc == CLQ_OK)
		rc = ops->count(srv->storage.self, &q, &state.aside);
	rc = finish(srv, rc);
	if (rc == CLQ_OK)
		*out = state;
	return rc;
}

/* ---- changing -------------------------------------------------------------- */

static enum clq_status
vanish(struct clq_server *srv, const struct clq_coll *coll,
    const struct clq_strs *ids)
{
	const struct clq_query q = { .coll = *coll, .only_ids = ids };
	int64_t removed;

	return srv->storage.ops->trim(srv->storage.self, &q, 0, &removed);
}

enum clq_status
clq_outbox_remove(struct clq_server *srv, const struct clq_coll *coll,
    const struct clq_strs *ids)
{
	enum clq_status rc;

	if ((rc = begin(srv, CLQ_TX_WRITE)) != CLQ_OK)
		return rc;
	return finish(srv, vanish(srv, coll, ids));
}

/* One entry from a list into another. */
static enum clq_status
move(struct clq_server *srv, const struct clq_coll *from,
    const struct clq_coll *to, struct clq_str id, struct clq_str data)
{
	struct clq_write w = { .op = CLQ_WRITE_UPDATE, .coll = *to, .id = id,
	    .data = data };
	struct clq_strs ids = { &id, 1, 0 };
	const struct clq_query all = { .coll = *to };
	enum clq_status rc;
	int64_t removed;

	if ((rc = begin(srv, CLQ_TX_WRITE)) != CLQ_OK)
		return rc;
	rc = srv->storage.ops->write(srv->storage.self, &w, 1);
	if (rc == CLQ_OK)
		rc = vanish(srv, from, &ids);
	if (rc == CLQ_OK && clq_str_ends(to->parent, "/aside"))
		rc = srv->storage.ops->trim(srv->storage.self, &all,
		    CLQ_DEAD_KEPT, &removed);
	return finish(srv, rc);
}

enum clq_status
clq_outbox_bury(struct clq_server *srv, struct clq_arena *arena,
    const struct clq_outbox *box, const struct clq_coll *lane,
    const struct clq_object *entry, struct clq_str why)
{
	const struct clq_coll aside = clq_outbox_aside(arena, box);
	struct clq_buf b;

	clq_buf_init(&b, arena, entry->data.len + 256);
	clq_buf_adds(&b, "{\"lane\":");
	clq_buf_json_str(&b, lane->parent);
	clq_buf_adds(&b, ",\"why\":");
	clq_buf_json_str(&b, clq_utf8_valid(why) ? why : CLQ_STR("?"));
	clq_buf_adds(&b, ",\"event\":");
	clq_buf_add(&b, entry->data);
	clq_buf_addc(&b, '}');
	return move(srv, lane, &aside, entry->id, clq_buf_str(&b));
}

enum clq_status
clq_outbox_revive(struct clq_server *srv, struct clq_arena *arena,
    const struct clq_outbox *box, const struct clq_object *entry)
{
	const struct clq_coll aside = clq_outbox_aside(arena, box);
	struct clq_coll lane = { RESOURCE, CLQ_STR("") };
	struct clq_str why;
	cJSON *tree, *event;

	if (clq_json_parse(arena, entry->data, &tree, &why) != CLQ_OK ||
	    (event = clq_json_get(tree, "event")) == NULL) {
		clq_log_err("outbox: %.*s is no event", CLQ_FMT(entry->id));
		return CLQ_FAILED;
	}
	lane.parent = clq_json_str(clq_json_get(tree, "lane"));
	if (!clq_str_starts(lane.parent, "/outbox/"))
		lane = clq_outbox_lane(arena, box, 0);
	return move(srv, &aside, &lane, entry->id, clq_json_text(arena,
	    event));
}

/* ---- owners ---------------------------------------------------------------- */

/* What makes process numbers comparable: boot and namespace. */
static struct clq_str
machine(struct clq_arena *arena)
{
	char boot[64] = "";
	int fd = open("/proc/sys/kernel/random/boot_id",
	    O_RDONLY | O_CLOEXEC);
	struct stat st = { .st_ino = 0 };
	ssize_t n = fd != -1 ? read(fd, boot, sizeof boot - 1) : 0;

	if (fd != -1)
		close(fd);
	(void)stat("/proc/self/ns/pid", &st);
	return clq_arena_printf(arena, "%.*s/%llu", n > 36 ? 36 : (int)n,
	    boot, (unsigned long long)st.st_ino);
}

/*
 * When a process began, in clock ticks since the boot; 0: it has ended, or
 * there is no /proc. Its name may hold anything, so the last ')' ends it; the
 * state follows, and 19 fields later the time (proc(5)).
 */
static int64_t
began(pid_t pid)
{
	char path[64], text[1024], *p;
	struct clq_str field;
	int64_t ticks = 0;
	ssize_t n = 0;
	int fd, skip;

	snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd != -1) {
		n = read(fd, text, sizeof text - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
	p = strrchr(text, ')');
	if (p == NULL || strncmp(p, ") Z", 3) == 0)
		return 0;
	for (skip = 0; skip < 20 && p != NULL; skip++)
		p = strchr(p + 1, ' ');
	if (p == NULL)
		return 0;
	p = p + 1;
	field = (struct clq_str){ p, strcspn(p, " ") };
	return clq_str_int(field, &ticks) ? ticks : 0;
}

/* Does the process live that wrote its number and beginning down? */
static bool
lives(pid_t pid, int64_t since)
{
	if (since == 0)		/* written where there was no /proc */
		return kill(pid, 0) == 0 || errno == EPERM;
	return began(pid) == since;
}

/* True if somebody else has the lane now. */
static bool
taken(struct clq_arena *arena, struct clq_str data, struct clq_str here)
{
	int64_t pid = 0, since = 0, until = 0;
	struct clq_str why;
	cJSON *tree;

	if (clq_json_parse(arena, data, &tree, &why) != CLQ_OK ||
	    !clq_json_int(clq_json_get(tree, "pid"), &pid) ||
	    !clq_json_int(clq_json_get(tree, "until"), &until) ||
	    until <= clq_now())
		return false;
	if (!clq_str_eq(clq_json_str(clq_json_get(tree, "on")), here))
		return true;
	if (!clq_json_int(clq_json_get(tree, "began"), &since))
		since = 0;
	return pid != getpid() && pid > 0 && pid <= INT32_MAX &&
	    lives((pid_t)pid, since);
}

enum clq_status
clq_outbox_lease(struct clq_server *srv, struct clq_arena *arena,
    const struct clq_outbox *box, int lane, clq_msec until)
{
	struct clq_str here = machine(arena);
	struct clq_want want = {
		.coll = { RESOURCE, clq_arena_printf(arena,
		    "/outbox/%s/owners", box->name) },
		.id = clq_arena_printf(arena, "%d", lane),
	};
	struct clq_lookup l = { .arena = arena, .wants = &want,
	    .nwants = 1 };
	struct clq_write w = { .op = CLQ_WRITE_UPDATE, .coll = want.coll,
	    .id = want.id };
	enum clq_status rc;

	if ((rc = begin(srv, CLQ_TX_WRITE)) != CLQ_OK)
		return rc;
	rc = srv->storage.ops->lookup(srv->storage.self, &l);
	if (rc == CLQ_OK && want.found && taken(arena, want.object.data,
	    here))
		rc = CLQ_CONFLICT;
	w.data = clq_arena_printf(arena,
	    "{\"on\":\"%.*s\",\"pid\":%ld,\"began\":%lld,\"until\":%lld}",
	    CLQ_FMT(here), (long)getpid(), (long long)began(getpid()),
	    (long long)until);
	if (rc == CLQ_OK)
		rc = srv->storage.ops->write(srv->storage.self, &w, 1);
	return finish(srv, rc);
}
