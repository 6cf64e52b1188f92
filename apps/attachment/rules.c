/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin's settings (section 08-11) and what they say about a file.
 *
 * Names and values are those of existing ini files. Where a bucket or a
 * collection has its own value, `attachment.resources.<bucket>[.<collection>]
 * .<option>` has it: the nearest one wins.
 */
#include "attachment.h"

static const struct clq_setting settings[] = {
	{ "attachment.base_path", CLQ_SET_STR, NULL, 0, 0, NULL,
	  "Folder of the files, absolute; workers write there." },
	{ "attachment.base_url", CLQ_SET_STR, NULL, 0, 0, NULL,
	  "What the location of a file begins with: where the web server "
	  "offers base_path." },
	{ "attachment.extra.base_url", CLQ_SET_STR, NULL, 0, 0, NULL,
	  "base_url as the capability shows it, if it is another." },
	{ "attachment.folder", CLQ_SET_STR, "", 0, 0, NULL,
	  "Folder below base_path; may hold {bucket_id} and "
	  "{collection_id}." },
	{ "attachment.extensions", CLQ_SET_STR, "default", 0, 0, NULL,
	  "File extensions that are accepted, joined by '+': extensions, or "
	  "groups: default any documents text images audio video data scripts "
	  "archives executables." },
	{ "attachment.mimetypes", CLQ_SET_STR, "", 0, 0, NULL,
	  "Media types by extension, instead of what clients say: "
	  "\".ext:type;.ext:type\"." },
	{ "attachment.randomize", CLQ_SET_BOOL, "true", 0, 0, NULL,
	  "Files get random names; else what is safe of theirs." },
	{ "attachment.keep_old_files", CLQ_SET_BOOL, "false", 0, 0, NULL,
	  "Files stay when their record, or its attachment, is deleted or "
	  "replaced." },
	{ "attachment.max_size_bytes", CLQ_SET_INT, "1073741824", 0, INT64_MAX,
	  "bytes", "Largest file; 0: no limit." },
	{ "attachment.resources.*", CLQ_SET_STR, NULL, 0, 0, NULL,
	  "randomize, keep_old_files or max_size_bytes for one bucket "
	  "(<bucket>.<option>) or collection "
	  "(<bucket>.<collection>.<option>)." },
	{ "attachment.resources.*.randomize", CLQ_SET_BOOL, NULL, 0, 0, NULL,
	  "attachment.randomize of one bucket or collection." },
	{ "attachment.resources.*.keep_old_files", CLQ_SET_BOOL, NULL, 0, 0,
	  NULL, "attachment.keep_old_files of one bucket or collection." },
	{ "attachment.sendfile", CLQ_SET_STR, "", 0, 0, NULL,
	  "Let the web server send files that are asked for below "
	  "/attachments/: x-accel-redirect (nginx) or x-sendfile (Apache, "
	  "lighttpd)." },
	{ "attachment.sendfile_prefix", CLQ_SET_STR, "/.attachments/", 0, 0,
	  NULL, "Internal location of base_path in nginx." },
};

struct group {
	const char	*name;
	const char	*extensions;
};

#define DOCUMENTS	"pdf rtf odf ods gnumeric abw doc docx xls xlsx"
#define TEXT		"txt"
#define IMAGES		"jpg jpe jpeg png gif svg bmp tiff"
#define DATA		"csv ini json plist xml yaml yml"

/* "any" has none: everything. */
static const struct group groups[] = {
	{ "default", DOCUMENTS " " TEXT " " IMAGES " " DATA },
	{ "documents", DOCUMENTS },
	{ "text", TEXT },
	{ "images", IMAGES },
	{ "audio", "wav mp3 aac ogg oga flac" },
	{ "video", "mpeg 3gp avi divx dvr flv mp4 wmv" },
	{ "data", DATA },
	{ "scripts", "js php pl py rb sh" },
	{ "archives", "gz bz2 zip tar tgz txz 7z" },
	{ "executables", "so exe dll" },
	{ "any", "" },
};

/* ---- single resources --------------------------------------------------- */

/* The nearest setting of an option for a collection. */
static const char *
nearest(struct clq_request *req, struct clq_str collection,
    const char *option)
{
	const struct clq_settings *s = clq_server_settings(
	    clq_request_server(req));
	struct clq_arena *arena = clq_request_arena(req);
	size_t from = strlen("/buckets/");
	size_t to = clq_str_find(collection, '/', from);
	struct clq_str bucket = clq_str_sub(collection, from, to);
	struct clq_str id = clq_str_sub(collection,
	    to + strlen("/collections/"), collection.len);
	const char *key = clq_arena_printf(arena,
	    "attachment.resources.%.*s.%.*s.%s", CLQ_FMT(bucket), CLQ_FMT(id),
	    option).p;

	if (id.len > 0 && clq_settings_has(s, key))
		return key;
	key = clq_arena_printf(arena, "attachment.resources.%.*s.%s",
	    CLQ_FMT(bucket), option).p;
	return clq_settings_has(s, key) ? key : clq_arena_printf(arena,
	    "attachment.%s", option).p;
}

bool
attachment_flag(struct clq_request *req, struct clq_str collection,
    const char *option, bool def)
{
	return clq_settings_bool(clq_server_settings(clq_request_server(req)),
	    nearest(req, collection, option), def);
}

uint64_t
attachment_max_size(struct clq_request *req, struct clq_str collection)
{
	int64_t max = clq_settings_int(clq_server_settings(
	    clq_request_server(req)), nearest(req, collection,
	    "max_size_bytes"), ATTACHMENT_DEFAULT_MAX);

	return max > 0 ? (uint64_t)max : UINT64_MAX;
}

/* ---- names -------------------------------------------------------------- */

struct clq_str
attachment_extension(struct clq_str filename)
{
	size_t i = filename.len, end = filename.len;

	while (i > 0 && filename.p[i - 1] != '.' && filename.p[i - 1] != '/' &&
	    filename.p[i - 1] != '\\')
		i--;
	if (i == 0 || filename.p[i - 1] != '.')
		return CLQ_STR("");
	/* ".profile" is a name, not an extension */
	for (end = i; end > 0 && filename.p[end - 1] == '.'; end--)
		;
	if (end == 0 || filename.p[end - 1] == '/' ||
	    filename.p[end - 1] == '\\')
		return CLQ_STR("");
	return clq_str_sub(filename, i - 1, filename.len);
}

static bool
has_word(struct clq_str words, struct clq_str word)
{
	struct clq_str item;

	while (clq_str_next_word(&words, &item))
		if (clq_str_caseeq(item, word))
			return true;
	return false;
}

bool
attachment_extension_allowed(struct clq_request *req, struct clq_str filename)
{
	struct clq_str rest = clq_settings_str(clq_server_settings(
	    clq_request_server(req)), "attachment.extensions");
	struct clq_str ext = attachment_extension(filename), item;
	bool any = true;
	size_t i;

	ext = clq_str_sub(ext, 1, ext.len);
	while (clq_str_next(&rest, '+', &item)) {
		item = clq_str_trim(item);
		for (i = 0; i < CLQ_COUNT(groups); i++)
			if (clq_str_is(item, groups[i].name))
				break;
		if (i < CLQ_COUNT(groups))
			item = clq_str_of(groups[i].extensions);
		if (item.len == 0)
			continue;
		any = false;
		if (has_word(item, ext))
			return true;
	}
	return any;
}

struct clq_str
attachment_mimetype(struct clq_request *req, struct clq_str filename,
    struct clq_str sent)
{
	struct clq_str ext = attachment_extension(filename), item;
	struct clq_str rest = clq_settings_str(clq_server_settings(
	    clq_request_server(req)), "attachment.mimetypes");
	size_t colon;

	while (ext.len > 0 && clq_str_next(&rest, ';', &item)) {
		colon = clq_str_find(item, ':', 0);
		if (clq_str_eq(clq_str_trim(clq_str_sub(item, 0, colon)), ext))
			return clq_str_trim(clq_str_sub(item, colon + 1,
			    item.len));
	}
	if (clq_str_is(ext, ".pem"))
		return CLQ_STR("application/x-pem-file");
	if (clq_str_is(ext, ".geojson"))
		return CLQ_STR("application/geojson");
	return sent.len > 0 ? sent : CLQ_STR("text/plain");
}

/* ---- start-up ----------------------------------------------------------- */

struct check {
	struct clq_settings	*settings;
	uint64_t		 max_file;
	enum clq_status		 rc;
};

static void
note_max(struct check *c, int64_t max)
{
	uint64_t bytes = max > 0 ? (uint64_t)max : INT64_MAX;

	if (bytes > c->max_file)
		c->max_file = bytes;
}

/* "<bucket>[.<collection>].<option>" */
static void
check_resource(void *ctx, const char *key, struct clq_str value)
{
	struct check *c = ctx;
	struct clq_str rest = clq_str_of(key + strlen("attachment.resources."));
	struct clq_str item = { NULL, 0 };
	size_t n = 0;
	int64_t max;

	while (clq_str_next(&rest, '.', &item))
		n++;
	if (n != 2 && n != 3)
		c->rc = clq_settings_error(c->settings, key, "malformed; write "
		    "attachment.resources.<bucket>.<option> or "
		    "attachment.resources.<bucket>.<collection>.<option>");
	else if (clq_str_is(item, "max_size_bytes")) {
		if (clq_str_int(value, &max) && max >= 0)
			note_max(c, max);
		else
			c->rc = clq_settings_error(c->settings, key,
			    "not a number of bytes");
	} else if (!clq_str_is(item, "randomize") &&
	    !clq_str_is(item, "keep_old_files"))
		c->rc = clq_settings_error(c->settings, key, "%.*s cannot be "
		    "set for single buckets or collections; randomize, "
		    "keep_old_files and max_size_bytes can", CLQ_FMT(item));
}

static void
check_mimetypes(struct check *c)
{
	struct clq_str rest = clq_settings_str(c->settings,
	    "attachment.mimetypes"), item;

	while (clq_str_next(&rest, ';', &item)) {
		struct clq_str ext = clq_str_trim(item);

		if (ext.len > 0 && (ext.p[0] != '.' ||
		    clq_str_find(ext, ':', 0) == ext.len ||
		    !clq_utf8_valid(ext)))
			c->rc = clq_settings_error(c->settings,
			    "attachment.mimetypes",
			    "write .ext:type/subtype;.ext:type/subtype");
	}
}

enum clq_status
attachment_rules_setup(struct clq_server *srv, uint64_t *max_file)
{
	struct check c = { .settings = clq_server_settings(srv) };

	c.rc = clq_settings_declare(c.settings, settings,
	    CLQ_COUNT(settings));
	note_max(&c, clq_settings_int(c.settings, "attachment.max_size_bytes",
	    ATTACHMENT_DEFAULT_MAX));
	clq_settings_each(c.settings, "attachment.resources.", check_resource,
	    &c);
	check_mimetypes(&c);
	*max_file = c.max_file;
	return c.rc;
}
