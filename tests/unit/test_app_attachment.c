/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attachments: the parser of forms, however the bytes are cut; boundaries;
 * extensions; which locations stay in their folder.
 */
#include "apps/attachment/attachment.h"
#include "apps/attachment/multipart.h"

#include <criterion/criterion.h>

#include <stdio.h>

#define BOUNDARY "XyZ"
#define HEAD(disposition) "--XyZ\r\nContent-Disposition: " disposition "\r\n\r\n"

/* What the callbacks were told, as text: "name|filename|type:content;". */
static char told[8192];
static size_t told_len;

static void
tell(const char *p, size_t n)
{
	cr_assert_lt(told_len + n, sizeof told);
	memcpy(told + told_len, p, n);
	told_len += n;
	told[told_len] = '\0';
}

static bool
on_part(void *ctx, const struct multipart_part *part)
{
	const struct clq_str texts[] = { part->name, part->filename,
		part->type };

	(void)ctx;
	for (size_t i = 0; i < CLQ_COUNT(texts); i++) {
		tell(i == 0 ? ";" : "|", 1);
		if (texts[i].p == NULL)
			tell("-", 1);
		else
			tell(texts[i].p, texts[i].len);
	}
	tell(":", 1);
	return true;
}

static bool
on_data(void *ctx, const char *p, size_t n)
{
	(void)ctx;
	tell(p, n);
	return true;
}

static const struct multipart_ops ops = { on_part, on_data };

/* NULL if it is a form, else why not. */
static const char *
parse(const char *p, size_t n, size_t step)
{
	static struct multipart m;
	enum clq_status rc = CLQ_OK;
	size_t k;

	told_len = 0;
	told[0] = '\0';
	multipart_begin(&m, CLQ_STR(BOUNDARY), &ops, NULL);
	for (size_t i = 0; i < n && rc == CLQ_OK; i += k) {
		k = n - i < step ? n - i : step;
		rc = multipart_feed(&m, p + i, k);
	}
	if (rc == CLQ_OK)
		rc = multipart_finish(&m);
	return rc == CLQ_OK ? NULL : m.why;
}

static const struct {
	const char	*form;
	const char	*told;
} forms[] = {
	{ "--XyZ--", "" },
	{ "preamble\r\n--XyZ--\r\nepilogue", "" },
	{ HEAD("form-data; name=\"a\"") "\r\n--XyZ--", ";a|-|-:" },
	{ HEAD("form-data; name=\"a\"") "--XyZ--", ";a|-|-:" },
	{ HEAD("form-data; name=a") "-\r\n--XyZ--", ";a|-|-:-" },
	{ HEAD("form-data; name=a") "-\r\r\n\r\n--Xy\r\n--XyZ--",
	  ";a|-|-:-\r\r\n\r\n--Xy" },
	{ HEAD("form-data; name=a") "\r\n--Xy-\r\n--XyZ--",
	  ";a|-|-:\r\n--Xy-" },
	{ HEAD("FORM-DATA ; NAME = a") "x\r\n--XyZ--", NULL },
	{ HEAD("form-data; name=a; filename=\"\"") "x\r\n--XyZ  \r\n"
	  "content-disposition:form-data;filename=\"b\\\"\\\\\\c\";name=\"d\"\r\n"
	  "X-Other: y\r\nContent-Type: text/html; charset=x\r\n\r\ny\r\n"
	  "--XyZ--", ";a||-:x;d|b\"\\\\c|text/html:y" },
	{ HEAD("form-data; name=a; filename=x; filename*=utf-8''%C3%A9%20;")
	  "\r\n--XyZ--", ";a|\303\251 |-:" },
	{ HEAD("form-data; name=a; filename*=UTF-8''b; filename=x")
	  "\r\n--XyZ--", ";a|b|-:" },
	{ "--XyZ\r\nContent-Disposition: form-data; name=a\r\n"
	  "Content-Type: nonsense\r\n\r\n\r\n--XyZ--", ";a|-|-:" },
	{ "", NULL },
	{ "--XyZ", NULL },
	{ "--XyZ-", NULL },
	{ "--XyZx\r\n", NULL },
	{ "--XyZ\r\n\r\n\r\n--XyZ--", NULL },
	{ HEAD("form-data; name=a") "x\r\n--XyZ", NULL },
	{ HEAD("form-data; name=a") "x--XyZ--", NULL },
	{ HEAD("form-data") "x\r\n--XyZ--", NULL },
	{ HEAD("attachment; name=a") "x\r\n--XyZ--", NULL },
	{ HEAD("form-data; name=\"a") "x\r\n--XyZ--", NULL },
	{ HEAD("form-data; name=a; name=b") "x\r\n--XyZ--", NULL },
	{ HEAD("form-data; name=a; filename=b; filename=c") "\r\n--XyZ--",
	  NULL },
	{ HEAD("form-data; name=a b") "x\r\n--XyZ--", NULL },
	{ HEAD("form-data; name=\"\377\"") "x\r\n--XyZ--", NULL },
	{ HEAD("form-data; name=a; filename=\"\t\"") "x\r\n--XyZ--", NULL },
	{ HEAD("form-data; name=a; filename*=utf-8''%00") "x\r\n--XyZ--",
	  NULL },
	{ HEAD("form-data; name=a; filename*=utf-8''%C") "x\r\n--XyZ--",
	  NULL },
	{ HEAD("form-data; name=a; filename*=latin1''x") "x\r\n--XyZ--",
	  NULL },
	{ "--XyZ\r\nContent-Disposition: form-data;\r\n name=a\r\n\r\n\r\n"
	  "--XyZ--", NULL },
	{ "--XyZ\r\n: x\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n"
	  "--XyZ--", NULL },
	{ "--XyZ\r\nContent-Disposition: form-data; name=a\r\n"
	  "Content-Disposition: form-data; name=a\r\n\r\n\r\n--XyZ--", NULL },
	{ "--XyZ\r\nContent-Disposition: form-data; name=a\r\n"
	  "Content-Transfer-Encoding: base64\r\n\r\n\r\n--XyZ--", NULL },
};

Test(multipart, reads_forms_however_they_are_cut)
{
	for (size_t i = 0; i < CLQ_COUNT(forms); i++) {
		for (size_t step = 1; step < 90; step++) {
			const char *why = parse(forms[i].form,
			    strlen(forms[i].form), step);

			if (forms[i].told == NULL) {
				cr_expect_not_null(why, "%zu/%zu: %s", i,
				    step, told);
				continue;
			}
			cr_expect_null(why, "%zu/%zu: %s", i, step, why);
			cr_expect_str_eq(told, forms[i].told, "%zu/%zu", i,
			    step);
		}
	}
}

Test(multipart, bounds_headers_and_parts)
{
	static char form[100000];
	size_t n;

	n = (size_t)sprintf(form, "--XyZ\r\nContent-Disposition: form-data; "
	    "name=a\r\nX: %0*d\r\n\r\n\r\n--XyZ--", 8000, 1);
	cr_expect_null(parse(form, n, 7));
	n = (size_t)sprintf(form, "--XyZ\r\nContent-Disposition: form-data; "
	    "name=a\r\nX: %0*d\r\n\r\n\r\n--XyZ--", 8200, 1);
	cr_expect_not_null(parse(form, n, n));
	n = (size_t)sprintf(form, HEAD("form-data; name=%0*d") "\r\n--XyZ--",
	    MULTIPART_MAX_NAME, 1);
	cr_expect_null(parse(form, n, n));
	n = (size_t)sprintf(form, HEAD("form-data; name=%0*d") "\r\n--XyZ--",
	    MULTIPART_MAX_NAME + 1, 1);
	cr_expect_not_null(parse(form, n, n));
	n = 0;
	for (int i = 0; i < MULTIPART_MAX_PARTS; i++)
		n += (size_t)sprintf(form + n, HEAD("form-data; name=a")
		    "\r\n");
	(void)sprintf(form + n, "--XyZ--");
	cr_expect_null(parse(form, n + 7, 100));
	n += (size_t)sprintf(form + n, HEAD("form-data; name=a")
	    "\r\n--XyZ--");
	cr_expect_not_null(parse(form, n, 100));
}

Test(multipart, names_the_boundary)
{
	static const struct {
		const char	*type;
		const char	*boundary;
	} cases[] = {
		{ "multipart/form-data; boundary=abc", "abc" },
		{ "Multipart/Form-Data;charset=x; BOUNDARY=\"a b\"", "a b" },
		{ "multipart/form-data", NULL },
		{ "multipart/form-data; boundary=", NULL },
		{ "multipart/form-data; boundary=\"\"", NULL },
		{ "multipart/form-data; boundary=a\001", NULL },
		{ "multipart/mixed; boundary=abc", NULL },
		{ "multipart/form-data; boundary=01234567890123456789"
		  "01234567890123456789012345678901234567890123456789",
		  "01234567890123456789"
		  "01234567890123456789012345678901234567890123456789" },
		{ "multipart/form-data; boundary=01234567890123456789"
		  "012345678901234567890123456789012345678901234567890",
		  NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < CLQ_COUNT(cases); i++) {
		struct clq_str got = { NULL, 0 };

		cr_expect_eq(multipart_boundary(clq_str_of(cases[i].type),
		    &got), cases[i].boundary != NULL, "%s", cases[i].type);
		if (cases[i].boundary != NULL)
			cr_expect(clq_str_is(got, cases[i].boundary), "%s",
			    cases[i].type);
	}
}

Test(attachment, extension_is_that_of_the_last_name)
{
	static const char *const cases[][2] = {
		{ "a.txt", ".txt" }, { "a.tar.gz", ".gz" }, { "a", "" },
		{ "a.", "." }, { ".profile", "" }, { "..x", "" },
		{ "a.b/c", "" }, { "a\\.b", "" }, { "a/b.c", ".c" },
		{ "", "" }, { "a..b", ".b" },
	};

	for (size_t i = 0; i < CLQ_COUNT(cases); i++)
		cr_expect(clq_str_is(attachment_extension(clq_str_of(
		    cases[i][0])), cases[i][1]), "%s", cases[i][0]);
}

Test(attachment, locations_stay_below)
{
	static const char *const good[] = { "a", "a/b.txt", "a-b/c_d/e f" };
	static const char *const bad[] = { "", "/a", "a/", "a//b", "../a",
		"a/../b", ".", "a/.b", ".incoming/x" };

	for (size_t i = 0; i < CLQ_COUNT(good); i++)
		cr_expect(attachment_location_safe(clq_str_of(good[i])),
		    "%s", good[i]);
	for (size_t i = 0; i < CLQ_COUNT(bad); i++)
		cr_expect(!attachment_location_safe(clq_str_of(bad[i])),
		    "%s", bad[i]);
	cr_expect(!attachment_location_safe((struct clq_str){ "a\0b", 3 }));
}
