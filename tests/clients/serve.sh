#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# scripts/serve as a user, a script or a test harness meets it. TAP.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# get URL ARGUMENT...: status of a request.
get() {
	curl -s -o "$tmp/body" -w '%{http_code}' -m 20 "$@"
}

# processes NAME: those of a serve of that name, by its log (nginx hides its
# arguments) or its folder.
processes() {
	{
		find /proc/[0-9]*/fd -maxdepth 1 -lname "$tmp/$1.err" |
		    cut -d / -f 3
		pgrep -f "$tmp/$1/"
	} 2> /dev/null | sort -u
}

# gone NAME: no process of it is left, within a minute.
gone() {
	local i
	for ((i = 0; i < 600; i++)); do
		[ -z "$(processes "$1")" ] && return 0
		sleep 0.1
	done
	ps -o pid,args -p "$(processes "$1" | paste -s -d ,)" | sed 's/^/# /'
	return 1
}

"$top/scripts/serve" --help > "$tmp/help" 2>&1
is "--help exits 0" $? 0
grep -q -e '--data' "$tmp/help"
result "--help tells the options" $?
"$top/scripts/serve" --nonsense > /dev/null 2>&1
is "an unknown option exits 2" $? 2
"$top/scripts/serve" --port 0 > /dev/null 2> "$tmp/err"
is "a wrong port exits 1" $? 1
"$top/scripts/serve" "$tmp/absent.ini" > /dev/null 2> "$tmp/err"
is "a missing ini exits 1" $? 1
grep -q 'absent.ini: no such file' "$tmp/err"
result "and is named" $?

# The first one may have to build.
one=$(free_port)
serve one --port "$one" --data "$tmp/one"
result "serves Kinto on SQLite" $?
first=$pid
is "prints one line" "$(cat "$tmp/one.out")" \
    "ready: http://127.0.0.1:$one/v1/"
command=$(sed -n "s/^serve: the operator's command: //p" "$tmp/one.err")
result "the operator's command is told" "$([ -n "$command" ]; echo $?)"
eval "$command -q request GET /v1/" 2> /dev/null | grep -q project_name
result "and reaches the server" $?
grep -q 'connect() to unix' "$tmp/one.err"
is "nobody was asked before the socket was there" $? 1
is "hello answers" "$(get "http://127.0.0.1:$one/v1/")" 200
is "the first request of the README" "$(get -X PUT -u token:secret \
    -H 'Content-Type: application/json' -d '{"data": {"text": "hello"}}' \
    "http://127.0.0.1:$one/v1/buckets/default/collections/notes/records/a")" \
    201
"$top/scripts/serve" --build > "$tmp/built" 2>&1
is "--build exits 0 when all is built" $? 0
is "and has nothing to say" "$(cat "$tmp/built")" ""
is "the configuration is for its owner" \
    "$(stat -c %a "$tmp/one/cliquet.ini")" 600
cp "$tmp/one/cliquet.ini" "$tmp/before.ini"

# A console that is none, and what get-admin refuses without a network.
mkdir -p "$tmp/two/admin"
echo '<p>console</p>' > "$tmp/two/admin/index.html"
echo 1.2.3 > "$tmp/two/admin/VERSION"
"$top/scripts/get-admin" "$top/docs" > /dev/null 2> "$tmp/err"
is "get-admin replaces nothing but a console" $? 1
grep -q 'holds something else' "$tmp/err"
result "and says so" $?
"$top/scripts/get-admin" --wheel "$top/README.md" "$tmp/two/admin" \
    > /dev/null 2> "$tmp/err"
is "get-admin wants the very file" $? 1
is "and leaves what is there" "$(cat "$tmp/two/admin/VERSION")" 1.2.3

two=$(free_port)
began=$(date +%s%N)
serve two --port "$two" --data "$tmp/two"
result "a second one runs beside it" $?
took=$((($(date +%s%N) - began) / 1000000))
# A machine that had something else to do may try again.
for _ in 1 2 3 4; do
	echo "# ready after $took ms"
	[ "$took" -ge "${CLQ_SERVE_READY_MS:-2000}" ] || break
	stop "$pid"
	gone two
	began=$(date +%s%N)
	serve two --port "$two" --data "$tmp/two"
	took=$((($(date +%s%N) - began) / 1000000))
done
second=$pid
[ "$took" -lt "${CLQ_SERVE_READY_MS:-2000}" ]
result "ready within two seconds" $?
is "the second knows nothing of the first's data" "$(get -u token:secret \
    "http://127.0.0.1:$two/v1/buckets/default/collections/notes/records/a")" \
    404
grep -q "admin console: http://127.0.0.1:$two/v1/admin/" "$tmp/two.err"
result "an admin console in its folder is offered" $?
is "and served" "$(curl -s "http://127.0.0.1:$two/v1/admin/")" \
    "<p>console</p>"
is "beside what the configuration includes" "$(get -u token:secret \
    "http://127.0.0.1:$two/v1/buckets/default")" 200
is "a server without has none" "$(get "http://127.0.0.1:$one/v1/admin")" 404

"$top/scripts/serve" --port "$one" --data "$tmp/three" > "$tmp/busy.out" \
    2> "$tmp/busy.err"
is "a taken port exits 1" $? 1
grep -q "port $one is taken" "$tmp/busy.err"
result "and says so" $?
is "without a word on standard output" "$(cat "$tmp/busy.out")" ""

stop "$second"
is "SIGTERM ends it with status 0" $? 0
gone two
result "and all it started" $?
[ ! -e "$tmp/two/run" ]
result "and its sockets and temporary files" $?

kill -INT "$first"
wait "$first"
is "SIGINT too" $? 0
gone one
serve one --port "$one" --data "$tmp/one"
first=$pid
is "data is still there after a restart" "$(get -u token:secret \
    "http://127.0.0.1:$one/v1/buckets/default/collections/notes/records/a")" \
    200
cmp -s "$tmp/one/cliquet.ini" "$tmp/before.ini"
result "and the configuration unchanged" $?

kill -KILL "$(cat "$tmp/one/run/$one/cliquetd.pid")"
wait "$first"
is "if cliquetd dies it exits 1" $? 1
grep -q 'cliquetd ended' "$tmp/one.err"
result "and says so" $?
gone one
result "and leaves nothing" $?

serve one --port "$one" --data "$tmp/one"
kill -KILL "$(cat "$tmp/one/run/$one/nginx.pid")"
wait "$pid"
is "if nginx dies it exits 1" $? 1
gone one
result "and leaves nothing, workers of nginx included" $?

serve one --port "$one" --data "$tmp/one"
kill -KILL "$pid"
wait "$pid" 2> /dev/null
gone one
result "killed with -9 it leaves no process" $?
serve one --port "$one" --data "$tmp/one"
result "and starts again over what is left" $?
stop "$pid"

# Ended at any moment of its start.
for ms in 0 20 50 100 150 200 300 500; do
	"$top/scripts/serve" --port "$one" --data "$tmp/early" \
	    > /dev/null 2> "$tmp/early.err" < /dev/null &
	pid=$!
	sleep "$(printf '0.%03d' "$ms")"
	kill -TERM "$pid"
	wait "$pid"
	gone early || early=left
done
[ -z "${early:-}" ]
result "ended while it starts it leaves nothing" $?

# As a Paste pserve is called: one ini, settings from the environment.
pserve=$(free_port)
cat > "$tmp/kinto.ini" <<EOF
[server:main]
use = egg:waitress#main
host = 0.0.0.0
port = $pserve

[app:main]
use = egg:kinto
kinto.includes = kinto.plugins.default_bucket
                 kinto.plugins.flush
kinto.paginate_by = 10
kinto.bucket_read_principals = system.Authenticated
kinto.userid_hmac_secret = some-secret-string
multiauth.policies = basicauth
kinto.flush_endpoint_enabled = true
kinto.storage_backend = kinto.core.storage.memory
kinto.cache_backend = kinto.core.cache.memory
kinto.permission_backend = kinto.core.permission.memory

[loggers]
keys = root
EOF
KINTO_BACKOFF=10 KINTO_PAGINATE_BY=1 serve pserve --data "$tmp/pserve" \
    "$tmp/kinto.ini"
result "an ini of Kinto is served" $?
is "on its host and port" "$(cat "$tmp/pserve.out")" \
    "ready: http://127.0.0.1:$pserve/v1/"
curl -s -D "$tmp/headers" -o /dev/null "http://127.0.0.1:$pserve/v1/"
grep -q -i '^backoff: 10' "$tmp/headers"
result "with settings from the environment" $?
is "flush answers 202" "$(get -X POST \
    "http://127.0.0.1:$pserve/v1/__flush__")" 202
stop "$pid"
is "and stops" $? 0
grep -q '^Traceback' "$tmp/pserve.err"
is "without a traceback" $? 1

# A relative data folder with blanks, deeper than a socket's name may be.
deep="$tmp/data folder/$(printf 'x%.0s' {1..120})"
serve deep --port "$one" --data "$deep"
result "a long path with blanks is fine" $?
is "and answers" "$(get "http://127.0.0.1:$one/v1/")" 200
stop "$pid"

printf '[app:main]\nuse = kinto\nstorage_backend = nonesuch\n' > "$tmp/bad.ini"
"$top/scripts/serve" --port "$one" --data "$tmp/bad" "$tmp/bad.ini" \
    > "$tmp/bad.out" 2> "$tmp/bad.err" < /dev/null
is "a wrong ini exits 1" $? 1
grep -q 'nonesuch' "$tmp/bad.err"
result "and says what is wrong" $?
is "without being ready" "$(cat "$tmp/bad.out")" ""
gone bad
result "and leaves nothing behind" $?

plan
