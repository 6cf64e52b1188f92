/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the admin plugin share. */
#ifndef ADMIN_H
#define ADMIN_H

#include <cliquet/cliquet.h>

/* A file of the console with the headers it is sent with, all made when it is
 * loaded. In the server's memory. */
struct admin_file {
	struct clq_str	path;		/* below the folder: "assets/a.js" */
	struct clq_str	body;
	const char	*type;		/* Content-Type */
	struct clq_str	etag;
	struct clq_str	modified;	/* Last-Modified */
	const char	*cache;		/* Cache-Control */
	struct clq_str	policy;		/* Content-Security-Policy; absent: none of
					   its own */
	const struct admin_file *packed;	/* "assets/a.js.gz", or NULL */
};

struct admin_files {
	struct admin_file	*items;		/* sorted by path */
	size_t			 n;
	size_t			 cap;
};

/*
 * Read the folder into memory.
 *
 * dir      its name
 * settings for messages: what is wrong is said of `admin_assets_path`
 * arena    the server's: files live as long as it
 * out      in any order of calls: sorted, for admin_find()
 *
 * In the master. Names that begin with a dot are left out; symbolic links are
 * followed. CLQ_OK or CLQ_INVALID (said).
 */
enum clq_status admin_load(struct clq_settings *settings,
    struct clq_arena *arena, const char *dir, struct admin_files *out)
    CLQ_MUST_CHECK;

/* The file of that path, or NULL. */
const struct admin_file *admin_find(const struct admin_files *files,
    struct clq_str path);

/*
 * The content security policy of a page: what it loads comes from this server,
 * scripts within the page are known by their hash (section 08-10).
 */
struct clq_str admin_policy(struct clq_arena *arena, struct clq_str page);

#endif
