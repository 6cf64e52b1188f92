/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin descriptor: the one symbol a plugin exports.
 *
 *	const struct clq_plugin clq_plugin = {
 *		CLQ_PLUGIN_HEAD, .name = "mine", .cache = &mine_cache, ...
 *	};
 *
 * A plugin is loaded if its major number equals the server's and its minor
 * number is not above it. Tables grow only at their end; each begins with its
 * own size, and the server asks CLQ_HAS() before it calls a newer function.
 * Plugins stay mapped until the process ends.
 *
 * ABI history:
 *	1.0	first version
 *	1.1	clq_storage_ops: index_add, index_drop, index_list
 *	1.2	clq_service: inputs; clq_request_inputs(), clq_add_migration()
 *	1.3	clq_service, clq_resource: openapi
 *	1.4	metrics.h; clq_ticks()
 *	1.5	clq_service: max_body, body_folder; clq_request_body_len(),
 *		clq_request_body_read(), clq_request_inner(),
 *		clq_object_access(), clq_tx_then(), clq_sha256_new()
 *	1.6	clq_storage_ops: prefetch; clq_service: alias
 *	1.7	CLQ_FIELD_TRIM
 *	1.8	clq_listener_kind: deliver, flags; clq_event_print()
 *		CLQ_FIELD_TYPED, clq_field_fault(); filters on STRING and URL
 *		compare texts; bad bounds and defaults are refused
 *	1.9	clq_backend_ops: on_behalf
 *	1.10	clq_storage_ops: map, written; clq_resource: table;
 *		clq_settings_declare_below(), clq_hex_base64(); errors.h
 *	1.11	clq_lookup: list, page, listed; clq_path_fault()
 */
#ifndef CLQ_ABI_H
#define CLQ_ABI_H

#include <cliquet/cache.h>
#include <cliquet/permission.h>
#include <cliquet/settings.h>
#include <cliquet/storage.h>
#include <cliquet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CLQ_ABI_MAJOR	1
#define CLQ_ABI_MINOR	11

/* True if the table *ops reaches as far as fn and offers it. ops is evaluated
 * twice: give it a plain variable. */
#define CLQ_HAS(ops, fn)						\
	((ops)->size >= offsetof(__typeof__(*(ops)), fn) +		\
	    sizeof((ops)->fn) && (ops)->fn != NULL)

enum clq_tx_mode {
	CLQ_TX_READ,
	CLQ_TX_WRITE
};

/*
 * The life of a backend instance. An instance belongs to a plugin and a URL;
 * storage and permission on the same plugin and URL are one instance with one
 * transaction. The cache always has an instance of its own.
 */

/*
 * In the master, at start-up and reload: check the settings, map shared
 * memory, remember what open will need. No connection, no thread.
 *
 * prefix  "storage", "permission" or "cache": options are <prefix>_url, ...
 * self    out: the instance; owned by the plugin, released by close
 * Returns CLQ_OK or CLQ_INVALID (said with clq_settings_error()).
 */
typedef enum clq_status clq_backend_configure_f(struct clq_settings *settings,
    const char *prefix, void **self);

/* In each worker, after fork: connect, prepare. A backend that cannot be
 * reached yet returns CLQ_OK and answers CLQ_UNAVAILABLE until it can. */
typedef enum clq_status clq_backend_open_f(void *self);

/*
 * A request's transaction. begin may be lazy. In CLQ_TX_WRITE nobody else
 * changes what lookup returned until finish. finish(commit == true) makes the
 * writes durable as configured before it returns CLQ_OK; any other status
 * means that nothing was stored. finish(false) undoes all and cannot fail.
 */
typedef enum clq_status clq_backend_begin_f(void *self, enum clq_tx_mode mode);
typedef enum clq_status clq_backend_finish_f(void *self, bool commit);

/* Within a writing transaction: mark a point, and undo all since that mark
 * (the mark stays) or drop the mark. One mark at a time. */
typedef enum clq_status clq_backend_savepoint_f(void *self);
typedef enum clq_status clq_backend_rollback_f(void *self);
typedef enum clq_status clq_backend_release_f(void *self);

/*
 * A heartbeat's probe (section 07-2), outside a transaction: write something
 * that no user sees (unless readonly) and read it back; give up after
 * timeout. CLQ_OK means "up".
 */
typedef enum clq_status clq_backend_ping_f(void *self, bool readonly,
    clq_msec timeout);

/* `cliquet migrate`: create or upgrade what is stored. say() gets one line
 * per step; dry_run: only say what would be done. Called on an instance that
 * was configured but not opened: it connects and disconnects by itself. */
typedef enum clq_status clq_backend_migrate_f(void *self, bool dry_run,
    void (*say)(const char *line));

/*
 * Whose request the calls that follow are for (since 1.9): told before begin,
 * and again where it may be another, as between the parts of a batch. For a
 * backend that acts with the caller's credentials. Until finish.
 */
typedef void clq_backend_behalf_f(void *self, struct clq_request *req);

/* Disconnect and free; also called for an instance never opened. */
typedef void clq_backend_close_f(void *self);

struct clq_backend_ops {
	uint32_t		 size;
	clq_backend_configure_f	*configure;	/* required */
	clq_backend_open_f	*open;		/* required */
	clq_backend_ping_f	*ping;		/* required */
	clq_backend_close_f	*close;		/* required */
	clq_backend_begin_f	*begin;		/* required for storage and */
	clq_backend_finish_f	*finish;	/* permission, else NULL */
	clq_backend_savepoint_f	*savepoint;
	clq_backend_rollback_f	*rollback;
	clq_backend_release_f	*release;
	clq_backend_migrate_f	*migrate;	/* optional */
	clq_backend_behalf_f	*on_behalf;	/* optional */
};

struct clq_app_ops;		/* app.h */

struct clq_plugin {
	uint16_t			 abi_major;	/* these three are frozen */
	uint16_t			 abi_minor;
	uint32_t			 unused;
	uint32_t			 size;		/* of this struct */
	const char			*name;		/* as in the ini */
	const char			*version;	/* for people */
	const struct clq_backend_ops	*backend;	/* with any of the next three */
	const struct clq_storage_ops	*storage;
	const struct clq_permission_ops	*permission;
	const struct clq_cache_ops	*cache;
	const struct clq_app_ops	*app;
};

#ifdef __cplusplus
static_assert(offsetof(struct clq_plugin, size) == 8, "frozen");
#else
_Static_assert(offsetof(struct clq_plugin, size) == 8, "frozen");
#endif

#define CLQ_PLUGIN_HEAD							\
	.abi_major = CLQ_ABI_MAJOR, .abi_minor = CLQ_ABI_MINOR,		\
	.size = sizeof(struct clq_plugin)

/* Declared for the plugin, so that its definition is checked and exported. */
extern CLQ_API const struct clq_plugin clq_plugin;

#ifdef __cplusplus
}
#endif
#endif
