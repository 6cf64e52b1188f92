/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content security policy of a page of the console.
 *
 * The console shows what others stored, with the credentials of whoever looks
 * at it; so no script may run that is not part of it. Scripts in files come
 * from this server; those that a build writes into the page itself are allowed
 * one by one, by their hash, and none that somebody else could get there. What
 * the console's form for JSON schemas needs is left to it: code made of
 * schemas ('unsafe-eval'), and styles within elements.
 */
#include "admin.h"

/* "'sha256-...'", as a policy names a script. */
static void
add_hash(struct clq_buf *b, struct clq_str script)
{
	clq_buf_adds(b, " 'sha256-");
	clq_buf_add(b, clq_hex_base64(b->arena,
	    clq_sha256_hex(b->arena, script)));
	clq_buf_addc(b, '\'');
}

/* The hashes of the scripts that are in the page itself. */
static void
add_scripts(struct clq_buf *b, struct clq_str page)
{
	struct clq_str tag, rest = page;
	size_t at;

	for (;;) {
		at = clq_str_search(rest, CLQ_STR("<script"));
		if (at == rest.len)
			return;
		rest = clq_str_sub(rest, at, rest.len);
		at = clq_str_find(rest, '>', 0);
		tag = clq_str_sub(rest, 0, at);
		rest = clq_str_sub(rest, at + 1, rest.len);
		at = clq_str_search(rest, CLQ_STR("</script"));
		if (clq_str_search(tag, CLQ_STR(" src=")) == tag.len)
			add_hash(b, clq_str_sub(rest, 0, at));
	}
}

struct clq_str
admin_policy(struct clq_arena *arena, struct clq_str page)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, 512);
	clq_buf_adds(&b, "default-src 'self'; img-src data: *; "
	    "script-src 'self' 'unsafe-eval'");
	add_scripts(&b, page);
	clq_buf_adds(&b, "; style-src 'self' 'unsafe-inline'; "
	    "object-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
	    "form-action 'self'");
	return clq_buf_str(&b);
}
