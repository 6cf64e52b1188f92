#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The ways to start cliquetd, its sockets, its command line.
. "$(dirname "$0")/lib.sh"
python start
