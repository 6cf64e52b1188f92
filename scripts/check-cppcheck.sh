#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# cppcheck over what is shipped: its errors, performance and portability
# findings. Its warnings are left out: they follow paths that cannot be taken.
# Exit 1 and show them if there are any.

cd "${CLQ_SRCDIR:-$(dirname "$0")/..}" || exit 2
# Looked at, and not so: there is always a statement that is the oldest; n > 1
# only after digits[0] was set.
known=(--suppress=nullPointer:storage/sqlite_conn.c
    --suppress=uninitvar:core/json_number.c)
exec cppcheck -q -j "$(getconf _NPROCESSORS_ONLN)" --std=c11 --language=c \
    --enable=performance,portability --inline-suppr \
    --error-exitcode=1 --max-configs=2 -D__GNUC__ -D__x86_64__ \
    -UCLQ_ARENA_DEBUG --library=scripts/cppcheck.cfg \
    -I core/include -I core -I . \
    "${known[@]}" \
    --suppress=missingIncludeSystem --suppress=unmatchedSuppression \
    core fcgi cli storage cache apps
