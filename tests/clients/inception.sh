#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Reading List keeps its articles in a Kinto, over HTTP: the same cases as on a
# database of its own, then what is to be found in the Kinto, and what clients
# see when it has gone. TAP.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The remote Kinto: another cliquet, or the one that CLQ_REMOTE_URL names.
remote=${CLQ_REMOTE_URL:-}
if [ -z "$remote" ]; then
	cat > "$tmp/kinto.ini" << INI
[app:main]
use = kinto
includes = default_bucket
multiauth.policies = basicauth
userid_hmac_secret = remote
storage_backend = sqlite
storage_url = sqlite:///$tmp/kinto.db
INI
	serve kinto --port "$(free_port)" --data "$tmp/kinto" \
	    "$tmp/kinto.ini" || {
		echo "Bail out! the remote Kinto does not start"
		exit 1
	}
	kinto=$pid
	remote=$(url_of kinto)
fi
cat > "$tmp/front.ini" << INI
[app:main]
use = readinglist
multiauth.policies = basicauth
userid_hmac_secret = front
storage_backend = kinto
storage_url = $remote
INI
serve front --port "$(free_port)" --data "$tmp/front" "$tmp/front.ini" || {
	echo "Bail out! Reading List does not start"
	exit 1
}
front=$(url_of front)
python3 -B "$top/tests/protocol/run.py" "$front" \
    "$top"/tests/protocol/readinglist/*.case > "$tmp/cases"
grep -v '^1\.\.' "$tmp/cases"
n=$(grep -c -E '^(not )?ok' "$tmp/cases")
failed=$(grep -c '^not ok' "$tmp/cases")

# get USER URL ARGUMENT...: status of a request; the answer is $tmp/body.
get() {
	curl -s -o "$tmp/body" -w '%{http_code}' -m 20 -u "$1" "${@:2}"
}
post() {
	get "$1" -H 'Content-Type: application/json' -d "$2" "${@:3}"
}
is "an article" "$(post dora:x \
    '{"data": {"url": "http://x.org", "title": "X", "added_by": "t"}}' \
    "$front/articles")" 201
is "her own bucket over there has the list" "$(get dora:x \
    "$remote/buckets/default/collections")" 200
list=$(python3 -c 'import json, sys
print(*[c["id"] for c in json.load(sys.stdin)["data"]])' < "$tmp/body")
[[ $list =~ ^article-basicauth_3a[0-9a-f]+$ ]]
result "named after resource and user" $?
get dora:x "$remote/buckets/default/collections/$list/records" > /dev/null
grep -q '"url": *"http://x.org"' "$tmp/body"
result "and the article" $?
is "others see none of it" "$(get eve:x \
    "$remote/buckets/default/collections/$list/records")$(cat "$tmp/body")" \
    '200{"data":[]}'

# Races are run again, and what lost one is undone.
for i in 1 2 3 4 5 6; do
	post dora:x '{"data": {"url": "http://same", "title": "'$i'",
	    "added_by": "t"}}' "$front/articles" > "$tmp/race.$i" &
	racers[i]=$!
done
wait "${racers[@]}"
post dora:x '{"data": {"url": "http://same", "title": "7", "added_by": "t"}}' \
    "$front/articles" > /dev/null
get dora:x "$front/articles?url=http://same" > /dev/null
is "seven devices, one article" "$(python3 -c 'import json, sys
print(len(json.load(sys.stdin)["data"]))' < "$tmp/body")" 1
is "heartbeat" "$(get dora:x "$front/__heartbeat__")" 200

if [ -n "${kinto:-}" ]; then
	stop "$kinto"
	is "without the Kinto: 503" "$(get dora:x "$front/articles")" 503
	grep -q '"errno":201' "$tmp/body"
	result "as the protocol has it" $?
	is "heartbeat tells" "$(get dora:x "$front/__heartbeat__")" 503
	is "hello answers" "$(get dora:x "$front/")" 200
	port=${remote#*127.0.0.1:}
	serve kinto --port "${port%%/*}" --data "$tmp/kinto" "$tmp/kinto.ini"
	is "back again, with everything" "$(get dora:x "$front/articles")" 200
	grep -q '"url":"http://x.org"' "$tmp/body"
	result "nothing acknowledged is lost" $?
fi
plan
