/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading List: articles to read later, one list per user (section 11-7).
 *
 * The example of an application with rules of its own: the attributes are one
 * table, and what no table can say is in rules.c, called for each document
 * before it is stored. Everything else (ids, timestamps, filters, PATCH,
 * unique addresses, batch, errors) is the toolkit's. docs/readinglist.md goes
 * through it.
 */
#include "readinglist.h"

static const struct clq_setting settings[] = {
	{ "project_name", CLQ_SET_STR, "readinglist", 0, 0, NULL,
	  "Name of the service, in hello and in metrics." },
	{ "http_api_version", CLQ_SET_STR, "2.1", 0, 0, NULL,
	  "Version of the protocol; the URL prefix is its first number." },
	{ "settings_prefix", CLQ_SET_STR, "readinglist", 0, 0, NULL,
	  "Prefix of keys in this file; `cliquet.` always works too." },
	{ "paginate_by", CLQ_SET_INT, "100", 0, 10000, "records",
	  "Largest page; 0 means no limit." },
};

#define READONLY	CLQ_FIELD_READONLY
#define UNIQUE		CLQ_FIELD_UNIQUE
#define NOW		CLQ_FIELD_AUTO_NOW
#define TRIM		CLQ_FIELD_TRIM

static const struct clq_field fields[] = {
	{ "url", CLQ_FIELD_URL, CLQ_REQUIRED | READONLY | UNIQUE,
	    NULL, 0, 0 },
	{ "preview", CLQ_FIELD_URL, 0, "null", 0, 0 },
	/* null is a title: the rules look at it */
	{ "title", CLQ_FIELD_ANY, CLQ_REQUIRED, NULL, 0, 0 },
	{ "added_by", CLQ_FIELD_STRING, CLQ_REQUIRED | TRIM,
	    NULL, 1, INT32_MAX },
	{ "added_on", CLQ_FIELD_TIMESTAMP, NOW, NULL, 0, 0 },
	{ "stored_on", CLQ_FIELD_TIMESTAMP, READONLY | NOW, NULL, 0, 0 },
	{ "archived", CLQ_FIELD_BOOL, 0, "false", 0, 0 },
	{ "favorite", CLQ_FIELD_BOOL, 0, "false", 0, 0 },
	{ "unread", CLQ_FIELD_BOOL, 0, "true", 0, 0 },
	{ "is_article", CLQ_FIELD_BOOL, 0, "true", 0, 0 },
	{ "excerpt", CLQ_FIELD_STRING, 0, "\"\"", 0, 0 },
	{ "read_position", CLQ_FIELD_INT, 0, "0", 0, INT64_MAX },
	{ "marked_read_by", CLQ_FIELD_STRING, TRIM, "null", 1, INT32_MAX },
	{ "marked_read_on", CLQ_FIELD_TIMESTAMP, 0, "null", 0, 0 },
	{ "word_count", CLQ_FIELD_INT, 0, "null", 0, 0 },
	/* without one of its own: the rules take those above */
	{ "resolved_url", CLQ_FIELD_URL, UNIQUE, NULL, 0, 0 },
	{ "resolved_title", CLQ_FIELD_ANY, 0, "null", 0, 0 },
};

static const struct clq_resource article = {
	.size		= sizeof article,
	.name		= "article",
	.plural_path	= "/articles",
	.object_methods	= CLQ_BIT(CLQ_METHOD_GET) | CLQ_BIT(CLQ_METHOD_HEAD) |
			  CLQ_BIT(CLQ_METHOD_PATCH) |
			  CLQ_BIT(CLQ_METHOD_DELETE),
	.flags		= CLQ_RESOURCE_STRICT | CLQ_RESOURCE_USER |
			  CLQ_RESOURCE_LAZY_PATCH,
	.fields		= fields,
	.nfields	= CLQ_COUNT(fields),
	.process	= readinglist_rules,
	.description	= "Articles to read later",
};

static enum clq_status
setup(struct clq_server *srv)
{
	enum clq_status rc;

	rc = clq_settings_declare(clq_server_settings(srv), settings,
	    CLQ_COUNT(settings));
	return rc == CLQ_OK ? clq_add_resource(srv, &article) : rc;
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "readinglist", .version = "2.1", .app = &app,
};
