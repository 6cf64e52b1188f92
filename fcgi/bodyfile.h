/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of requests that go to a file while they arrive.
 *
 * Where a service allows more than max_body_bytes, the body is no more held in
 * memory than the rest of the service's data: the file has no name, so that
 * nothing is left of it when the connection, the request or the process ends.
 * Written in the event loop: what a file system takes is in the page cache, and
 * no slower than the socket it came from. In a worker.
 */
#ifndef CLQ_FCGI_BODYFILE_H
#define CLQ_FCGI_BODYFILE_H

#include "scan.h"

/* A clq_scan_room_f; ctx: the server (core/server.h). */
void clq_bodyfile_room(struct clq_scan *s, const void *ctx);

/* Append; false (logged) if the file takes no more. */
bool clq_bodyfile_write(int fd, const unsigned char *p, size_t n);

#endif
