/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners that the settings declare (section 07-11.1).
 */
#ifndef CLQ_LISTENERS_H
#define CLQ_LISTENERS_H

#include <cliquet/app.h>

/*
 * Read `event_listeners` and subscribe each; in the master, after all setups.
 * setup loads an application plugin by name and runs its setup, for a kind
 * that nobody has registered. CLQ_OK or CLQ_INVALID (all problems said).
 */
enum clq_status clq_listeners_configure(struct clq_server *srv,
    enum clq_status (*setup)(struct clq_server *srv, struct clq_str value,
    const char *key)) CLQ_MUST_CHECK;

#endif
