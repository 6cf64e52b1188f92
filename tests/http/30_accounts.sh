#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Users with a password: who may do what, and how passwords are verified.
. "$(dirname "$0")/lib.sh"
python accounts
