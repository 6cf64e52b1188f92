/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files attached to records (section 08-11): the parts of the plugin.
 *
 * An upload is read by form.c into a file without a final name (store.c), its
 * record is written by an inner request (upload.c), which file belongs to which
 * record is a link in storage (links.c), and files are removed when the
 * database has committed that they are no longer wanted (remove.c). rules.c
 * has the settings, incoming.c looks after crashes, serve.c lets the web server send files.
 */
#ifndef ATTACHMENT_H
#define ATTACHMENT_H

#include <cliquet/cliquet.h>

/* ---- rules.c: settings, for all and for single buckets, collections ---- */

enum { ATTACHMENT_DEFAULT_MAX = 1 << 30 };	/* bytes of a file */

/*
 * Declare and check the settings. CLQ_INVALID after what is wrong was said.
 * max_file: out, the largest size that any resource allows.
 */
enum clq_status attachment_rules_setup(struct clq_server *srv,
    uint64_t *max_file) CLQ_MUST_CHECK;

/* Of a resource ("/buckets/b/collections/c"): its own value, else its bucket's,
 * else everybody's. option: "randomize", "keep_old_files". */
bool attachment_flag(struct clq_request *req, struct clq_str collection,
    const char *option, bool def);

/* Bytes; UINT64_MAX: no limit. */
uint64_t attachment_max_size(struct clq_request *req,
    struct clq_str collection);

/* ".txt" of "a.txt", as sent; empty if there is none. */
struct clq_str attachment_extension(struct clq_str filename);

/* True if the settings take a file of that name. */
bool attachment_extension_allowed(struct clq_request *req,
    struct clq_str filename);

/* The media type to record for a file that came with this one. */
struct clq_str attachment_mimetype(struct clq_request *req,
    struct clq_str filename, struct clq_str sent);

/* ---- store.c: files ----------------------------------------------------- */

/* A file on its way in. What is published goes with the request, too, unless
 * it is kept. */
struct attachment_file {
	struct clq_request	*req;
	int			 fd;		/* -1: closed */
	const char		*temporary;	/* path; NULL: gone */
	const char		*published;	/* path; NULL: not yet */
	struct clq_str		 location;	/* the same, below base_path */
	bool			 kept;
	bool			 in_doubt;	/* is it? Who sweeps will ask */
};

/* Where files are; NULL-terminated, without a '/' at the end. */
const char *attachment_base_path(struct clq_server *srv);

/* The path of a location; NUL-terminated, in the request's arena. */
const char *attachment_path(struct clq_request *req,
    struct clq_str location);

/* A directory's entries are durable once it is synced; false is logged. */
bool attachment_sync_folder(const char *path);

/* Begin one; false (logged) if it cannot be made. f must live in the arena. */
bool attachment_file_begin(struct clq_request *req,
    struct attachment_file *f);

/* More of its content. False (logged): the disk; the file is gone then. */
bool attachment_file_write(struct attachment_file *f, const char *p,
    size_t n);

/* All is written: make the content durable. */
bool attachment_file_end(struct attachment_file *f);

/*
 * Give it its name, durably.
 *
 * folder    below base_path, checked; or empty
 * filename  as sent: what is kept of it cannot leave the folder
 * False (logged) if that fails. f->location is set on success.
 */
bool attachment_file_publish(struct attachment_file *f, struct clq_str folder,
    struct clq_str filename, bool randomize);

/* Remove a file by its location. What cannot be is logged. */
void attachment_remove_file(struct clq_request *req, struct clq_str location);

/* True if the location is one that stays below base_path. */
bool attachment_location_safe(struct clq_str location);

/* The setting `folder` with its variables replaced; absent if it, or what
 * would come out, is no folder below base_path. */
struct clq_str attachment_folder(struct clq_request *req);

/* Can files be written? For the heartbeat. */
bool attachment_store_works(struct clq_request *req);

/* ---- incoming.c: what is under way, and what a crash leaves of it ------- */

/* The folder ".incoming" is there; false is logged. */
bool attachment_incoming_ready(struct clq_request *req);

/* A new path in it, for what begins now. */
const char *attachment_incoming_name(struct clq_request *req);

/* Its names are durable; false is logged. */
bool attachment_incoming_sync(struct clq_request *req);

/* Now and then: remove what crashes have left. In a transaction for reading. */
void attachment_sweep(struct clq_request *req);

/* ---- links.c: which files belong to which record ------------------------ */

/* Locations of the files of one record, of all records of a collection, of
 * all of a bucket. found: appended to. Removes the links. */
enum clq_status attachment_links_take_record(struct clq_request *req,
    struct clq_str record_uri, bool had, struct clq_strs *found)
    CLQ_MUST_CHECK;
enum clq_status attachment_links_take_all(struct clq_request *req,
    const char *field, struct clq_str uri, struct clq_strs *found)
    CLQ_MUST_CHECK;

/* The same for these records of a collection, however many. */
enum clq_status attachment_links_take_records(struct clq_request *req,
    struct clq_str collection, const struct clq_change *changes, size_t n,
    struct clq_strs *found) CLQ_MUST_CHECK;

/* Note that the file belongs to the record, whose older links are taken. */
enum clq_status attachment_link_add(struct clq_request *req,
    struct clq_str record_uri, struct clq_str location) CLQ_MUST_CHECK;

/* Take those out of locations that a link names. */
enum clq_status attachment_links_keep_unlinked(struct clq_request *req,
    struct clq_strs *locations) CLQ_MUST_CHECK;

/* True, and *linked, if it could be asked whether a committed link says so. */
bool attachment_link_committed(struct clq_request *req,
    struct clq_str record_uri, struct clq_str location, bool *linked);

/* True if the stored record has (perhaps) an attachment. */
bool attachment_in(const struct clq_object *record);

/* ---- form.c: what a client sends ---------------------------------------- */

struct attachment_form {
	struct clq_request	*req;
	struct attachment_file	 file;
	struct clq_str		 filename;	/* absent: no file came */
	struct clq_str		 type;
	struct clq_str		 hash;		/* hex SHA-256 */
	uint64_t		 size;
	cJSON			*data;		/* objects, or NULL */
	cJSON			*permissions;
};

/* Read the body; the file is durable, but not published. Otherwise
 * clq_fail()ed. collection: URI, for the rules. */
enum clq_status attachment_form_read(struct clq_request *req,
    struct clq_str collection, struct attachment_form *form) CLQ_MUST_CHECK;

/* ---- upload.c, remove.c, serve.c: endpoints and events ------------------ */

/* An error as the endpoint has it: status 400 and its plain title. */
enum clq_status attachment_refuse(struct clq_request *req, int errno_,
    const char *message);

/* "/buckets/b/collections/c" of the request's path. */
struct clq_str attachment_collection_uri(struct clq_request *req);

/* True while the endpoint itself changes the attribute. */
bool attachment_own_change(const struct clq_request *req);

/* Remove these files once the transaction has committed. */
void attachment_remove_later(struct clq_request *req,
    const struct clq_strs *locations);

clq_view_f attachment_upload_view;
clq_view_f attachment_delete_view;
clq_subscriber_f attachment_on_update;
clq_subscriber_f attachment_on_delete;

/* Add the endpoint that serves files if the settings want it. */
enum clq_status attachment_serve_setup(struct clq_server *srv) CLQ_MUST_CHECK;

/* The URL of a path of this service, such as a record's; in a request of the
 * endpoint. */
struct clq_str attachment_service_url(struct clq_request *req,
    struct clq_str path);

/* The URL of a location. */
struct clq_str attachment_url(struct clq_request *req,
    struct clq_str location);

#endif
