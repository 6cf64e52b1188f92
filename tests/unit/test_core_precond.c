/* SPDX-License-Identifier: Apache-2.0 */
/* If-Match and If-None-Match (section 01-7). */
#include <cliquet/str.h>

#include "core/resource_impl.h"

#include <criterion/criterion.h>

#include "loopback_fixture.h"

TestSuite(precond, .init = setup, .fini = teardown);

static struct clq_request *
request(const char *method, const char *match, const char *none_match)
{
	struct clq_request *req = clq_request_new(lb.srv, lb.arena);

	req->method = clq_method_of(clq_str_of(method));
	if (match != NULL)
		clq_pairs_add(lb.arena, &req->headers, CLQ_STR("if-match"),
		    clq_str_of(match));
	if (none_match != NULL)
		clq_pairs_add(lb.arena, &req->headers,
		    CLQ_STR("If-None-Match"), clq_str_of(none_match));
	return req;
}

Test(precond, reads_headers)
{
	static const struct {
		const char		*value;
		enum clq_etag_kind	 kind;
		clq_msec		 timestamp;
	} cases[] = {
		{ "\"12\"",	CLQ_ETAG_TIMESTAMP,	12 },
		{ " \"12\" ",	CLQ_ETAG_TIMESTAMP,	12 },
		{ "*",		CLQ_ETAG_ANY,		0 },
		{ "",		CLQ_ETAG_NONE,		0 },
		{ "\"0\"",	CLQ_ETAG_NONE,		0 },
		{ "\"000\"",	CLQ_ETAG_NONE,		0 },
	};

	for (size_t i = 0; i < CLQ_COUNT(cases); i++) {
		struct clq_request *req = request("GET", cases[i].value,
		    cases[i].value);
		struct clq_precond p;

		clq_precond_read(req, &p);
		cr_expect_eq(req->error.ninvalid, 0, "%s", cases[i].value);
		cr_expect_eq(p.match.kind, cases[i].kind);
		cr_expect_eq(p.none_match.kind, cases[i].kind);
		cr_expect_eq(p.match.timestamp, cases[i].timestamp);
	}
}

Test(precond, refuses_malformed_headers)
{
	static const char *const bad[] = {
		"12", "'12'", "W/\"12\"", "\"12\",\"13\"", "\"*\"", "\"-1\"",
		"\"+1\"", "\"\"", "\"", "abc", "*x", "* *", "\"1a\"",
		"\"99999999999999999999\"", "\"12\"x"
	};

	for (size_t i = 0; i < CLQ_COUNT(bad); i++) {
		struct clq_request *req = request("GET", bad[i], bad[i]);
		struct clq_precond p;

		clq_precond_read(req, &p);
		cr_expect_eq(req->error.ninvalid, 2, "%s", bad[i]);
		cr_expect_str_eq(req->error.invalid[0].location, "header");
		cr_expect(clq_str_is(req->error.invalid[0].name, "If-Match"));
		cr_expect(clq_str_is(req->error.invalid[0].description,
		    "The value should be integer between double quotes."));
	}
}

/* The matrix: what comes out, with a current timestamp of 10. */
Test(precond, follows_the_matrix)
{
	static const struct {
		const char	*method;
		bool		 exists;
		const char	*match;
		const char	*none_match;
		int		 status;	/* 0: goes on */
	} cases[] = {
		{ "GET",	true,	"\"10\"", NULL,		0 },
		{ "GET",	true,	"\"9\"",  NULL,		412 },
		{ "GET",	true,	"\"11\"", NULL,		412 },
		{ "GET",	true,	"*",	  NULL,		0 },
		{ "GET",	true,	NULL,	  "\"10\"",	304 },
		{ "GET",	true,	NULL,	  "\"9\"",	0 },
		{ "GET",	true,	NULL,	  "\"11\"",	0 },
		{ "GET",	true,	NULL,	  "*",		412 },
		{ "HEAD",	true,	NULL,	  "\"10\"",	304 },
		{ "PUT",	true,	"\"10\"", NULL,		0 },
		{ "PUT",	true,	"\"9\"",  NULL,		412 },
		{ "PUT",	true,	"*",	  NULL,		0 },
		{ "PUT",	true,	NULL,	  "\"10\"",	0 },
		{ "PUT",	true,	NULL,	  "*",		412 },
		{ "PUT",	false,	"\"10\"", NULL,		412 },
		{ "PUT",	false,	"*",	  NULL,		412 },
		{ "PUT",	false,	NULL,	  "\"10\"",	0 },
		{ "PUT",	false,	NULL,	  "*",		0 },
		{ "DELETE",	true,	"\"11\"", NULL,		412 },
		{ "PATCH",	true,	NULL,	  "\"10\"",	0 },
		{ "POST",	false,	"\"10\"", NULL,		412 },
		{ "POST",	false,	"*",	  NULL,		412 },
		{ "POST",	false,	NULL,	  "*",		0 },
		{ "POST",	true,	"\"10\"", NULL,		0 },
		{ "POST",	true,	NULL,	  "*",		412 },
		{ "POST",	true,	NULL,	  "\"10\"",	0 },
		{ "PUT",	true,	"\"10\"", "*",		412 },
		{ "PUT",	true,	"\"9\"",  "\"10\"",	412 },
		{ "GET",	true,	"\"9\"",  "\"10\"",	304 },
	};

	for (size_t i = 0; i < CLQ_COUNT(cases); i++) {
		struct clq_request *req = request(cases[i].method,
		    cases[i].match, cases[i].none_match);
		struct clq_current now = { .exists = cases[i].exists,
			.timestamp = 10 };
		struct clq_precond p;
		enum clq_status rc;

		clq_precond_read(req, &p);
		rc = clq_precond_check(req, &p, &now);
		if (cases[i].status == 0)
			cr_expect_eq(rc, CLQ_OK, "case %zu", i);
		else if (cases[i].status == 304)
			cr_expect(rc == CLQ_DONE &&
			    req->response.status == 304, "case %zu", i);
		else
			cr_expect(rc == CLQ_INVALID &&
			    req->error.errno_ == 114, "case %zu", i);
	}
}

Test(precond, a_412_shows_the_object)
{
	struct clq_request *req = request("PUT", "\"9\"", NULL);
	struct clq_object obj = { .id = CLQ_STR("r"), .last_modified = 10,
		.data = CLQ_STR("{\"a\":1}") };
	struct clq_current now = { true, 10, &obj };
	struct clq_precond p;

	clq_precond_read(req, &p);
	cr_assert_eq(clq_precond_check(req, &p, &now), CLQ_INVALID);
	cr_expect(clq_str_is(clq_json_text(lb.arena, req->error.details),
	    "{\"existing\":{\"a\":1,\"id\":\"r\",\"last_modified\":10}}"));
	cr_expect_str_eq(loopback_header(req, "ETag"), "\"10\"");
	cr_expect_str_eq(loopback_header(req, "Last-Modified"),
	    "Thu, 01 Jan 1970 00:00:00 GMT");
}

Test(precond, a_412_without_object_has_no_details)
{
	struct clq_request *req = request("PUT", "*", NULL);
	struct clq_current now = { false, 10, NULL };
	struct clq_precond p;

	clq_precond_read(req, &p);
	cr_assert_eq(clq_precond_check(req, &p, &now), CLQ_INVALID);
	cr_expect_null(req->error.details);
	cr_expect_str_eq(loopback_header(req, "ETag"), "\"10\"");
}
