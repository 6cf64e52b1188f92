/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling systemd how we are (sd_notify(3)).
 *
 * The protocol is one datagram; by hand it is shorter than a dependency on
 * libsystemd, which would bring compression and crypto libraries into every
 * process. In the master only.
 */
#ifndef CLQ_FCGI_NOTIFY_H
#define CLQ_FCGI_NOTIFY_H

#include <cliquet/types.h>

/* Remember NOTIFY_SOCKET and WATCHDOG_USEC; take them out of the
 * environment. */
void clq_notify_init(void);

/* Send "READY=1" and the like; nothing happens without systemd. */
void clq_notify(const char *state);

/* "RELOADING=1" with the time that systemd wants to see with it. */
void clq_notify_reloading(void);

/* "WATCHDOG=1" if it is due: to be called at each turn of the master's loop,
 * at the latest after a second. now: clq_monotonic(). */
void clq_notify_alive(clq_msec now);

#endif
