#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The descriptions that servers of different configurations give of their API,
# as tests/http/49_openapi.sh and 60_resources.sh get them, before the npm
# package swagger-parser, which knows the specification's own schema and more.
# TAP. The build folder is CLQ_BUILDDIR.

. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

npm_packages openapi @apidevtools/swagger-parser
mkdir "$tmp/documents"
for name in 49_openapi 60_resources; do
	CLQ_OPENAPI_KEEP=$tmp/documents bash "$top/tests/http/$name.sh" \
	    > "$tmp/openapi.out" 2>&1 || {
		grep -v '^ok' "$tmp/openapi.out" | sed 's/^/# /'
		echo "Bail out! tests/http/$name.sh fails"
		exit 1
	}
done
cd "$cache" || exit 1
timeout 600 node validate.cjs "$tmp/documents"
