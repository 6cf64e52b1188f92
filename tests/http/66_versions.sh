#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two versions of an application in one server.
. "$(dirname "$0")/lib.sh"
python versions
