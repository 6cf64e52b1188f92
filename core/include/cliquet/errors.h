/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error numbers of the protocol by name (section 02-2).
 *
 * For clq_fail(). Each has an HTTP status, given here, and most a default
 * message; an application may use numbers of its own, which are answered with
 * status 500 unless clq_fail_as() says otherwise.
 */
#ifndef CLQ_ERRORS_H
#define CLQ_ERRORS_H

enum clq_errno {
	CLQ_ERRNO_NONE			= 0,
	CLQ_ERRNO_MISSING_AUTH_TOKEN	= 104,	/* 401: nobody, or credentials
						   that were not accepted */
	CLQ_ERRNO_INVALID_AUTH_TOKEN	= 105,	/* 401: a token */
	CLQ_ERRNO_BADJSON		= 106,	/* 400: reserved, see 107 */
	CLQ_ERRNO_INVALID_PARAMETERS	= 107,	/* 400: headers, query, body */
	CLQ_ERRNO_MISSING_PARAMETERS	= 108,	/* 400: reserved, see 107 */
	CLQ_ERRNO_INVALID_POSTED_DATA	= 109,	/* 400: an uploaded file */
	CLQ_ERRNO_INVALID_RESOURCE_ID	= 110,	/* 404: no such object */
	CLQ_ERRNO_MISSING_RESOURCE	= 111,	/* 404: no such URL or parent */
	CLQ_ERRNO_MISSING_CONTENT_LENGTH = 112,	/* 411 */
	CLQ_ERRNO_REQUEST_TOO_LARGE	= 113,	/* 413 */
	CLQ_ERRNO_MODIFIED_MEANWHILE	= 114,	/* 412: precondition */
	CLQ_ERRNO_METHOD_NOT_ALLOWED	= 115,	/* 405: also read-only */
	CLQ_ERRNO_VERSION_NOT_AVAILABLE	= 116,	/* 404 */
	CLQ_ERRNO_CLIENT_REACHED_CAPACITY = 117, /* 429 */
	CLQ_ERRNO_FORBIDDEN		= 121,	/* 403 */
	CLQ_ERRNO_CONSTRAINT_VIOLATED	= 122,	/* 409: worth a retry, or a
						   value that has to be
						   unique */
	CLQ_ERRNO_BACKEND		= 201,	/* 503: a backend fails */
	CLQ_ERRNO_SERVICE_DEPRECATED	= 202,	/* 410: has ended */
	CLQ_ERRNO_UNDEFINED		= 999	/* 500: unforeseen; logged with
						   a backtrace */
};

#endif
