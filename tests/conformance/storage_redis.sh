#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What any storage backend promises, of redis.so.
. "$(dirname "${BASH_SOURCE[0]}")/redis.sh"
on_redis storage
