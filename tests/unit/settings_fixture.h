/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of settings share: a store `s`, a scratch arena, and what the
 * log says, caught in a memory file that stands for standard error. Each file
 * that includes this declares its suite with setup and teardown.
 */
#ifndef CLQ_SETTINGS_FIXTURE_H
#define CLQ_SETTINGS_FIXTURE_H

#include <cliquet/buf.h>
#include <cliquet/str.h>

#include "settings_load.h"

#include <criterion/criterion.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct clq_settings *s;
static struct clq_arena *arena;
static char said_text[65536];
static int said_fd;

static inline void
setup(void)
{
	arena = clq_arena_new();
	said_fd = memfd_create("log", MFD_CLOEXEC);
	cr_assert_neq(said_fd, -1);
	cr_assert_neq(dup2(said_fd, STDERR_FILENO), -1);
}

static inline void
teardown(void)
{
	clq_settings_free(&s);
	clq_arena_free(&arena);
	close(said_fd);
}

/* True if the log holds this text. */
static inline bool
said(const char *text)
{
	ssize_t n = pread(said_fd, said_text, sizeof said_text - 1, 0);

	said_text[n > 0 ? n : 0] = '\0';
	return strstr(said_text, text) != NULL;
}

#define cr_said(text) \
	cr_expect(said(text), "not said: %s\nbut:\n%s", text, said_text)

static inline enum clq_status
parse_str(struct clq_str text)
{
	clq_settings_free(&s);
	return clq_settings_parse("t.ini", text, &s);
}

/* Read the body of [app:main], whose first line is line 2. */
static inline enum clq_status
parse(const char *body)
{
	return parse_str(clq_arena_printf(arena, "[app:main]\n%s", body));
}

static inline const char *
get(const char *key)
{
	const char *v = clq_settings_cstr(s, key);

	return v != NULL ? v : "(unset)";
}

#endif
