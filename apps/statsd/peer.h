/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The StatsD server: a datagram socket that never waits.
 *
 * A name is resolved by a thread, because that may take many seconds; until
 * it has an address, datagrams are dropped. So are those that the kernel has no
 * room for, and those that nobody receives: metrics are worth no request.
 */
#ifndef STATSD_PEER_H
#define STATSD_PEER_H

#include <cliquet/cliquet.h>

struct statsd_peer;

/* In a worker. host: a name or an address; both texts are copied. NULL (logged)
 * without memory. */
struct statsd_peer *statsd_peer_open(const char *host, const char *port);

/* Send one datagram, or drop it. */
void statsd_peer_send(struct statsd_peer *peer, const char *text, size_t len);

/* Does not wait for the thread, which goes by itself. NULL is fine. */
void statsd_peer_close(struct statsd_peer **peer);

#endif
