/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests from literals, and a backend that only keeps a diary.
 */
#include "loopback.h"

#include <cliquet/log.h>
#include <cliquet/str.h>

#include <stdio.h>
#include <stdlib.h>

#include "core/dispatch.h"
#include "core/log_conf.h"
#include "core/settings_load.h"

static struct clq_settings *
settings_of(const char *ini)
{
	struct clq_settings *s = NULL;
	struct clq_arena *arena = clq_arena_new();
	struct clq_str text;
	const char *none = "";

	if (strstr(ini, "storage_backend") == NULL)
		none = "storage_backend =\npermission_backend =\n";
	text = clq_arena_printf(arena, "[app:main]\n%s%s%s\n", none,
	    strstr(ini, "cache_backend") == NULL ? "cache_backend =\n" : "",
	    ini);
	if (clq_settings_parse("test.ini", text, &s) != CLQ_OK)
		fprintf(stderr, "loopback: the settings are not valid\n");
	clq_arena_free(&arena);
	return s;
}

enum clq_status
loopback_try(const char *ini)
{
	struct clq_settings *s = settings_of(ini);
	struct clq_server *srv = NULL;
	enum clq_status rc;

	if (s == NULL)
		return CLQ_INVALID;
	rc = clq_server_new(s, &srv);
	clq_server_free(&srv);
	return rc;
}

struct loopback
loopback_new(const char *ini)
{
	struct loopback lb = { NULL, NULL };
	struct clq_settings *s = settings_of(ini);

	clq_log_set_level(CLQ_LOG_ERROR);
	if (s == NULL || clq_server_new(s, &lb.srv) != CLQ_OK) {
		fprintf(stderr, "loopback: no server\n");
		abort();
	}
	lb.arena = clq_arena_new();
	return lb;
}

void
loopback_free(struct loopback *lb)
{
	clq_server_free(&lb->srv);
	clq_arena_free(&lb->arena);
}

void
loopback_service(struct loopback *lb, const char *path, struct clq_verb verb,
    unsigned flags, void *ctx)
{
	struct clq_verb *v = clq_arena_alloc(lb->srv->arena, sizeof *v);
	struct clq_service s = { .size = sizeof s, .name = path,
		.path = path, .verbs = v, .nverbs = 1, .flags = flags,
		.ctx = ctx };

	*v = verb;
	if (clq_add_service(lb->srv, &s) != CLQ_OK) {
		fprintf(stderr, "loopback: no service %s\n", path);
		abort();
	}
}

void
loopback_view(struct loopback *lb, enum clq_method method, const char *path,
    clq_view_f *view, void *ctx)
{
	loopback_service(lb, path, (struct clq_verb){ method, view,
	    clq_method_safe(method) ? CLQ_TX_READ : CLQ_TX_WRITE }, 0, ctx);
}

static void
parse_headers(struct clq_request *req, const char *headers)
{
	struct clq_str rest = clq_str_of(headers), line;
	size_t colon;

	while (clq_str_next(&rest, '\n', &line)) {
		colon = clq_str_find(line, ':', 0);
		clq_pairs_add(req->arena, &req->headers,
		    clq_str_sub(line, 0, colon),
		    clq_str_trim(clq_str_sub(line, colon + 1, line.len)));
	}
	line = clq_pairs_get(&req->headers, "Host");
	if (line.p != NULL)
		req->host = line;
}

struct clq_request *
loopback_send_raw(struct loopback *lb, const char *method,
    struct clq_str path, struct clq_str query)
{
	struct clq_request *req = clq_request_new(lb->srv, lb->arena);

	req->method_name = clq_str_of(method);
	req->method = clq_method_of(req->method_name);
	req->raw_path = path;
	req->raw_query = query;
	clq_dispatch(req);
	return req;
}

struct clq_request *
loopback_send(struct loopback *lb, const char *method, const char *url,
    const char *headers, const char *body)
{
	struct clq_request *req = clq_request_new(lb->srv, lb->arena);
	struct clq_str all = clq_str_of(url);
	size_t mark = clq_str_find(all, '?', 0);

	req->method_name = clq_str_of(method);
	req->method = clq_method_of(req->method_name);
	req->raw_path = clq_str_sub(all, 0, mark);
	req->raw_query = clq_str_sub(all, mark + 1, all.len);
	if (headers != NULL)
		parse_headers(req, headers);
	if (body != NULL)
		req->body = clq_str_of(body);
	clq_dispatch(req);
	return req;
}

const char *
loopback_body(const struct clq_request *req)
{
	return clq_arena_cstr(req->arena, req->response.body);
}

const char *
loopback_header(const struct clq_request *req, const char *name)
{
	struct clq_str v = clq_pairs_get(&req->response.headers, name);

	return v.p != NULL ? clq_arena_cstr(req->arena, v) : NULL;
}

/* ---- the fake backend --------------------------------------------------- */

static void
note(struct fake_backend *f, const char *what)
{
	size_t len = strlen(f->log);

	snprintf(f->log + len, sizeof f->log - len, "%s%s", len > 0 ? " " :
	    "", what);
}

static enum clq_status
fake_configure(struct clq_settings *s, const char *prefix, void **self)
{
	(void)s;
	(void)prefix;
	(void)self;
	return CLQ_OK;
}

static enum clq_status
fake_open(void *self)
{
	(void)self;
	return CLQ_OK;
}

static enum clq_status
fake_ping(void *self, bool readonly, clq_msec timeout)
{
	struct fake_backend *f = self;

	(void)readonly;
	note(f, "ping");
	return timeout > 0 ? f->ping : CLQ_FAILED;
}

static void
fake_close(void *self)
{
	(void)self;
}

static enum clq_status
fake_begin(void *self, enum clq_tx_mode mode)
{
	struct fake_backend *f = self;

	note(f, mode == CLQ_TX_READ ? "begin(read)" : "begin(write)");
	if (f->begin == CLQ_OK)
		f->open++;
	return f->begin;
}

static enum clq_status
fake_finish(void *self, bool commit)
{
	struct fake_backend *f = self;
	enum clq_status rc;

	note(f, commit ? "commit" : "abort");
	f->open--;
	if (!commit)
		return CLQ_OK;
	rc = f->commit;
	if (f->commit_times > 0 && --f->commit_times == 0)
		f->commit = CLQ_OK;
	return rc;
}

static enum clq_status
fake_savepoint(void *self)
{
	note(self, "mark");
	return CLQ_OK;
}

static enum clq_status
fake_rollback(void *self)
{
	note(self, "undo");
	return CLQ_OK;
}

static enum clq_status
fake_release(void *self)
{
	note(self, "release");
	return CLQ_OK;
}

static enum clq_status
fake_lookup(void *self, struct clq_lookup *l)
{
	struct fake_backend *f = self;

	note(f, "lookup");
	l->timestamp = f->timestamp;
	l->groups = f->groups;
	return CLQ_OK;
}

static enum clq_status
fake_timestamp(void *self, const struct clq_coll *coll, clq_msec *out)
{
	struct fake_backend *f = self;

	(void)coll;
	*out = f->timestamp;
	return CLQ_OK;
}

static enum clq_status
fake_write(void *self, struct clq_write *writes, size_t n)
{
	struct fake_backend *f = self;

	note(f, "write");
	for (size_t i = 0; i < n; i++) {
		writes[i].status = CLQ_OK;
		writes[i].last_modified = ++f->timestamp;
	}
	return CLQ_OK;
}

static enum clq_status
fake_sync(void *self)
{
	note(self, "sync");
	return CLQ_OK;
}

static enum clq_status
fake_groups(void *self, struct clq_arena *arena, struct clq_str user,
    struct clq_strs *out)
{
	struct fake_backend *f = self;

	(void)arena;
	(void)user;
	*out = f->groups;
	return CLQ_OK;
}

static enum clq_status
fake_flush(void *self)
{
	note(self, "flush");
	return CLQ_OK;
}

static const struct clq_backend_ops backend_ops = {
	.size = sizeof backend_ops,
	.configure = fake_configure, .open = fake_open, .ping = fake_ping,
	.close = fake_close, .begin = fake_begin, .finish = fake_finish,
	.savepoint = fake_savepoint, .rollback = fake_rollback,
	.release = fake_release,
};
static const struct clq_storage_ops storage_ops = {
	.size = sizeof storage_ops,
	.lookup = fake_lookup, .timestamp = fake_timestamp,
	.write = fake_write, .sync = fake_sync, .flush = fake_flush,
};
static const struct clq_permission_ops permission_ops = {
	.size = sizeof permission_ops,
	.lookup = fake_lookup, .groups = fake_groups, .flush = fake_flush,
};
static const struct clq_plugin plugin = {
	CLQ_PLUGIN_HEAD, .name = "fake", .backend = &backend_ops,
	.storage = &storage_ops, .permission = &permission_ops,
};

void
loopback_fake(struct loopback *lb, struct fake_backend *fake)
{
	lb->srv->storage = (struct clq_storage_backend){ &plugin,
	    &storage_ops, fake };
	lb->srv->permission = (struct clq_permission_backend){ &plugin,
	    &permission_ops, fake };
}
