/* SPDX-License-Identifier: Apache-2.0 */
/* Everything a plugin may use. */
#ifndef CLIQUET_H
#define CLIQUET_H

#include <cliquet/abi.h>
#include <cliquet/app.h>
#include <cliquet/arena.h>
#include <cliquet/buf.h>
#include <cliquet/cache.h>
#include <cliquet/clock.h>
#include <cliquet/crypto.h>
#include <cliquet/errors.h>
#include <cliquet/json.h>
#include <cliquet/log.h>
#include <cliquet/metrics.h>
#include <cliquet/permission.h>
#include <cliquet/settings.h>
#include <cliquet/storage.h>
#include <cliquet/str.h>
#include <cliquet/types.h>

#endif
