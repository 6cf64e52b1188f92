/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What json.c, json_scan.c and json_print.c share: the strict scan and the
 * decimal texts of numbers. Nobody else includes this.
 */
#ifndef CLQ_CORE_JSON_INTERNAL_H
#define CLQ_CORE_JSON_INTERNAL_H

#include <cliquet/json.h>

/* Longest decimal text of a number, terminating NUL not counted. */
enum { CLQ_JSON_NUM_MAX = 1100 };

/* A number for which cJSON's own reading is not enough. */
struct clq_json_number {
	size_t		 ordinal;	/* in document order, from 0 */
	struct clq_str	 source;	/* as sent */
	char		*text;		/* exact; NULL: the double gives it */
	double		 value;
};

struct clq_json_scan {
	struct clq_arena	*arena;
	struct clq_str		 text;
	size_t			 pos;		/* on failure: of the error */
	const char		*why;		/* on failure */
	size_t			 seen;		/* numbers so far */
	size_t			 expanded;	/* bytes added by exponents */
	unsigned		 depth;
	bool			 long_source;	/* one too long for cJSON */
	struct clq_json_number	*numbers;
	size_t			 n_numbers;
	size_t			 numbers_cap;
};

/*
 * True if the text is one JSON value under the rules of json.h; otherwise
 * `why` and `pos` tell. Set arena and text, and zero the rest.
 */
bool clq_json_scan(struct clq_json_scan *scan) CLQ_MUST_CHECK;

/*
 * The value of a JSON number in plain decimal notation, trailing zeros kept,
 * as PostgreSQL's numeric shows it. out has room for CLQ_JSON_NUM_MAX + 1.
 * Returns its length; 0 if it would be longer than CLQ_JSON_NUM_MAX.
 */
size_t clq_json_canonical(struct clq_str source, char *out);

/* The double nearest to a canonical text; infinite if there is none. */
double clq_json_nearest(const char *text);

/*
 * The shortest plain decimal text that gives back d, or "null" if d is not
 * finite. out has room for CLQ_JSON_NUM_MAX + 1. Returns the length.
 */
size_t clq_json_double_text(double d, char *out);

/* The text of a number item: its own, or that of its double put in `out`. */
const char *clq_json_number_text(const cJSON *item, char *out);

/* Ends the process if p, fresh from cJSON, is NULL; returns p. */
void *clq_json_mem(void *p);

#endif
