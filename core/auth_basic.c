/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `basicauth` policy (section 06-2.1): any user name and password make a
 * user, whose id is a keyed hash of both.
 *
 * There is no registration and nothing to look up. The secret is the server's
 * `userid_hmac_secret`; changing it turns everybody into somebody else.
 */
#include "auth.h"

#include <cliquet/crypto.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "server.h"

static const char *const aliases[] = {
	"kinto.core.authentication.BasicAuthAuthenticationPolicy",
	"cliquet.authentication.BasicAuthAuthenticationPolicy",
	NULL
};

static enum clq_status
configure(struct clq_server *srv, const char *policy, const char *prefix,
    void **self)
{
	(void)prefix;
	(void)self;
	if (clq_settings_str(srv->settings, "userid_hmac_secret").len == 0)
		return clq_settings_error(srv->settings, "userid_hmac_secret",
		    "needed by the authentication policy \"%s\"; set it to a "
		    "long random text and never change it", policy);
	if (strcmp(policy, "basicauth") != 0)
		return CLQ_OK;
	return clq_add_capability(srv, "basicauth", "Very basic "
	    "authentication sessions. Not for production use.",
	    "http://kinto.readthedocs.io/en/stable/api/1.x/"
	    "authentication.html", NULL);
}

/* Bytes that are not UTF-8 are taken for Latin-1, as browsers once sent. */
static struct clq_str
latin1_to_utf8(struct clq_arena *arena, struct clq_str s)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, 2 * s.len);
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x80) {
			clq_buf_addc(&b, (char)(0xc0 | c >> 6));
			c = (unsigned char)(0x80 | (c & 0x3f));
		}
		clq_buf_addc(&b, (char)c);
	}
	return clq_buf_str(&b);
}

bool
clq_basic_credentials(struct clq_request *req, struct clq_str *user,
    struct clq_str *password)
{
	struct clq_str rest = clq_request_header(req, "Authorization");
	struct clq_str scheme, text;
	size_t colon;

	if (!clq_str_next_word(&rest, &scheme) ||
	    !clq_str_caseis(scheme, "basic"))
		return false;
	if (clq_base64_decode(req->arena, clq_str_trim(rest), &text) !=
	    CLQ_OK)
		return false;
	if (!clq_utf8_valid(text))
		text = latin1_to_utf8(req->arena, text);
	colon = clq_str_find(text, ':', 0);
	if (colon == text.len || colon == 0)
		return false;
	*user = clq_str_sub(text, 0, colon);
	*password = clq_str_sub(text, colon + 1, text.len);
	return true;
}

static enum clq_status
authenticate(struct clq_request *req, void *self, struct clq_str *userid)
{
	struct clq_str user, password;
	struct clq_buf both;

	(void)self;
	if (!clq_basic_credentials(req, &user, &password))
		return CLQ_NOT_FOUND;
	clq_buf_init(&both, req->arena, user.len + password.len + 1);
	clq_buf_add(&both, user);	/* either may hold a NUL */
	clq_buf_addc(&both, ':');
	clq_buf_add(&both, password);
	*userid = clq_hmac_hex(req->arena, clq_settings_str(
	    req->server->settings, "userid_hmac_secret"),
	    clq_buf_str(&both));
	return CLQ_OK;
}

const struct clq_auth_kind clq_auth_basic = {
	.size = sizeof clq_auth_basic,
	.name = "basicauth",
	.aliases = aliases,
	.configure = configure,
	.authenticate = authenticate,
	.challenge = "Basic realm=\"Realm\"",
};
