#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# OpenID: tokens, logging in, and providers that are down, hang, lie or flood.
. "$(dirname "$0")/lib.sh"
need openssl
python openid
