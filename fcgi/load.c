/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading the configuration of the server process (see load.h).
 */
#include "load.h"

#include "../core/settings_load.h"

enum clq_status
clq_load_settings(const char *path, struct clq_settings **settings,
    struct clq_conf *conf)
{
	struct clq_settings *s = NULL;
	struct clq_server *srv = NULL;
	enum clq_status rc = clq_settings_load(path, &s), rc2;

	*settings = NULL;
	if (s == NULL)
		return rc;
	if ((rc2 = clq_conf_read(s, conf)) != CLQ_OK || rc != CLQ_OK) {
		/* What the plugins have to say, nobody shall learn only after
		 * having mended the rest. */
		if (clq_server_new(s, &srv) == CLQ_OK)
			clq_server_free(&srv);
		return rc != CLQ_OK ? rc : rc2;
	}
	*settings = s;
	return CLQ_OK;
}
