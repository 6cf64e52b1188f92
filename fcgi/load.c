/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading the configuration of the server process (see load.h).
 */
#include "load.h"

#include "../core/settings_load.h"

#include <stdlib.h>
#include <unistd.h>

enum clq_status
clq_load_settings(const char *path, struct clq_settings **settings,
    struct clq_conf *conf)
{
	struct clq_settings *s = NULL;
	enum clq_status rc = clq_settings_load(path, &s);

	if (rc == CLQ_OK)
		rc = clq_conf_read(s, conf);
	if (rc == CLQ_OK) {
		*settings = s;
		return CLQ_OK;
	}
	if (s != NULL)
		clq_settings_free(&s);
	*settings = NULL;
	return rc;
}

const char *
clq_default_ini(void)
{
	static const char *const names[] = { "CLIQUET_INI", "KINTO_INI" };
	static const char usual[] = CLQ_SYSCONFDIR "/cliquet/cliquet.ini";
	const char *v;

	for (size_t i = 0; i < CLQ_COUNT(names); i++)
		if ((v = getenv(names[i])) != NULL && *v != '\0')
			return v;
	return access(usual, F_OK) == 0 ? usual : NULL;
}
