#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The npm package `kinto` against scripts/serve: once undisturbed, once with
# workers killed and the configuration reloaded in the middle. TAP.

. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# Packages go into a folder that git ignores, anew if the lock file changed.
cache=$top/build/kinto-js
mkdir -p "$cache"
for file in package.json package-lock.json .npmrc; do
	cp "$clients/kinto-js/$file" "$cache/$file.new"
done
if ! cmp -s "$cache/package-lock.json.new" "$cache/package-lock.json" ||
    ! [ -e "$cache/node_modules/kinto/dist/kinto.min.js" ]; then
	rm -rf "$cache/node_modules"
	for file in package.json package-lock.json .npmrc; do
		mv "$cache/$file.new" "$cache/$file"
	done
	(cd "$cache" && npm ci --no-audit --no-fund --ignore-scripts) \
	    > "$tmp/npm.out" 2>&1 || {
		sed 's/^/# /' "$tmp/npm.out"
		rm -f "$cache/package-lock.json"
		echo "Bail out! npm ci failed"
		exit 1
	}
fi
rm -f "$cache"/*.new
cp "$clients/kinto-js/"*.cjs "$cache/"

port=$(free_port)
serve kinto --port "$port" --data "$tmp/data" || {
	echo "Bail out! scripts/serve does not start"
	exit 1
}
base=$(url_of kinto)
cd "$cache" || exit 1
CLQ_BASE_URL=$base timeout 120 node main.cjs
status=$?
CLQ_BASE_URL=$base CLQ_MASTER_PID=$(cat "$tmp/data/run/$port/cliquetd.pid") \
    timeout 300 node main.cjs || status=1
if [ "$status" -ne 0 ]; then
	sed 's/^/# server: /' "$tmp/kinto.err" | tail -n 60
fi
exit $status
