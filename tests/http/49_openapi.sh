#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What /__api__ says is what is served, for several configurations.
. "$(dirname "$0")/lib.sh"
compile_app catalogue
export CLQ_TEST_CATALOGUE=$apps/catalogue.so
python openapi
