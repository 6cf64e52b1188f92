/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources without code: what the files of this plugin share.
 *
 * A section [resource:NAME] becomes a struct ini_resource, which begins with
 * the declaration that core gets and so is found again by the hooks. All of it
 * lives in the server's memory and is not changed after the start.
 */
#ifndef APPS_RESOURCES_H
#define APPS_RESOURCES_H

#include <cliquet/cliquet.h>

#include "apps/jsonschema/jsonschema.h"

enum {
	INI_MAX_FIELDS = 500,
	INI_MAX_PARENTS = 4		/* a variable of the path for each */
};

struct ini_resource {
	struct clq_resource	 decl;		/* first: see ini_validate() */
	const char		*first_key;	/* of the section, for messages */
	const char		*path_key;	/* "resource.NAME.path", if set, or
						   the first */
	struct js_schema	*schema;	/* NULL: none */
	struct clq_field	*fields;	/* decl.fields, while growing */
	struct clq_strs		 permissions;	/* further ones */
	bool			 wrong;		/* said */
	bool			 added;
	struct clq_table	 table;		/* decl.table, if named */
};

struct ini {
	struct clq_server	*srv;
	struct clq_settings	*settings;
	struct clq_arena	*arena;		/* the server's */
	struct ini_resource	**list;		/* in the order of the file */
	size_t			 n;
};

/* options.c: the settings a section may hold, for core's checks and dump. */
extern const struct clq_setting ini_options[];
extern const size_t ini_noptions;

/* Fill r, whose name is known, from its section. False: wrong, all said. */
bool ini_read(struct ini *ini, struct ini_resource *r);

/* "resource.NAME.option" in the server's memory. */
const char *ini_key(struct ini *ini, const struct ini_resource *r,
    const char *option);

/* Say that an option is wrong, and mark the resource. Returns false. */
bool ini_wrong(struct ini *ini, struct ini_resource *r, const char *key,
    const char *fmt, ...) CLQ_PRINTF(4, 5);

/* The field of that name, made (of any type) if there is none; NULL: there
 * are too many, said. */
struct clq_field *ini_field(struct ini *ini, struct ini_resource *r,
    struct clq_str name, const char *key);
const struct clq_field *ini_find_field(const struct ini_resource *r,
    struct clq_str name);

/* fields.c: the option `fields`, a line each. */
void ini_read_fields(struct ini *ini, struct ini_resource *r);

/* schema.c: the option `schema`, and the hook that applies it. */
void ini_read_schema(struct ini *ini, struct ini_resource *r);
clq_process_f ini_validate;

/* schema_faults.c: compile the tree of the file path, which fits its metaschema
 * and of which all references lead somewhere; the caller's, for
 * js_schema_free(). False: wrong, all faults (up to a bound) said. */
bool ini_compile(struct ini *ini, struct ini_resource *r, const char *key,
    const char *path, const cJSON *tree, struct js_schema **out);

/* openapi.c: the attributes of a schema for OpenAPI, as JSON text in the
 * server's memory. r has its fields. */
const char *ini_describe(struct ini *ini, const struct ini_resource *r,
    const cJSON *schema);

/* table.c: the options `table`, `id_column` and so on; the path is known. */
void ini_read_table(struct ini *ini, struct ini_resource *r);

/* inherit.c: who may do what below an object of a parent. */
clq_inherit_f ini_inherit;

#endif
