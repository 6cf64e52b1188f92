# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For the tests 20_webserver_*.sh: a real web server in front of a real
# cliquetd, configured by the files of etc/, on the loopback. What must come
# through unharmed is asked for with curl; TAP. To be sourced.
#
#	start_cliquetd		on $socket; its pid is $cliquetd
#	start_nginx		etc/nginx.conf; its pid is $server
#	await PORT PID		wait until requests are answered
#	suite			the requests, to http://127.0.0.1:$port
#	suite_files		uploads, and downloads both ways
#	suite_down		what is said without cliquetd
#	end			the last line, and exit

set -u
export PATH="$PATH:/usr/sbin:/sbin"
src=${CLQ_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)}
builddir=${CLQ_BUILDDIR:-$PWD}
CLIQUETD=${CLIQUETD:-$builddir/cliquetd}
CLIQUET=${CLIQUET:-$builddir/cliquet}
export CLQ_PLUGIN_PATH=${CLQ_PLUGIN_PATH:-$builddir/plugins}
dir=$(mktemp -d "${TMPDIR:-/tmp}/clq-web.XXXXXX") || exit 99
chmod 755 "$dir"
socket=$dir/c.sock
errordir=$dir/errors
: "${sendfile=x-sendfile}"	# empty: there is no module for it
pids=()
. "$src/tests/support/tap.sh"
logs=("$dir/headers" "$dir/body")
cliquetd=

cleanup() {
	local pid i
	trap '' INT TERM HUP
	for pid in ${pids[@]+"${pids[@]}"}; do
		kill -TERM "$pid" 2> /dev/null
		for ((i = 0; i < 100; i++)); do
			kill -0 "$pid" 2> /dev/null || break
			sleep 0.05
		done
		kill -KILL "$pid" 2> /dev/null
		wait "$pid" 2> /dev/null
	done
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 99' INT TERM HUP

skip_unless() {
	command -v "$1" > /dev/null && return
	echo "1..0 # SKIP no $1"
	exit 0
}

# Those of the servers, too, if something failed.
end() {
	if [ "$failed" -ne 0 ]; then
		tail -n 40 "$dir"/*.log 2> /dev/null | sed 's/^/# /'
	fi
	plan
}

# expand FILE: a template of etc/ with this test's names.
expand() {
	sed -e "s|@socket@|$socket|g" -e "s|@listen@|${listen:-$port}|g" \
	    -e "s|@errordir@|$errordir|g" -e "s|@attachmentdir@|$dir/files|g" -e "s|@sbindir@|$dir|g" \
	    -e "s|@sysconfdir@/cliquet/|$dir/|g" \
	    -e "s|@400@|$(cat "$src/etc/errors/400.json")|" \
	    -e "s|@413@|$(cat "$src/etc/errors/413.json")|" \
	    -e "s|@503@|$(cat "$src/etc/errors/503.json")|" "$src/etc/$1.in"
}

port=$(free_port)
mkdir "$errordir" "$dir/files"
for code in 400 413 500 503; do
	cp "$src/etc/errors/$code.json" "$errordir/$code.json"
	cp "$src/etc/errors/$code.json" "$errordir/$code.html"
done
cat > "$dir/cliquet.ini" <<EOF
[app:main]
use = kinto
includes = default_bucket kinto_attachment
attachment.base_path = $dir/files
attachment.base_url = http://127.0.0.1:$port/attachments/
attachment.sendfile = ${sendfile:-x-sendfile}
multiauth.policies = basicauth
userid_hmac_secret = only for this test
storage_backend = sqlite
storage_url = sqlite://$dir/test.db
cache_backend = memory
workers = 2
EOF

start_cliquetd() {
	CLIQUET_SOCKET=$socket CLIQUET_SOCKET_MODE=0666 "$CLIQUETD" \
	    "$dir/cliquet.ini" > "$dir/cliquetd.log" 2>&1 < /dev/null &
	cliquetd=$!
	pids+=("$cliquetd")
}

start_nginx() {
	local kind
	{
		[ "$(id -u)" -eq 0 ] && echo "user root;"
		echo "daemon off; pid $dir/nginx.pid; error_log $dir/nginx.log;"
		echo "worker_processes 2;"
		echo "events { } http { access_log off;"
		for kind in client_body fastcgi proxy uwsgi scgi; do
			echo "${kind}_temp_path $dir/$kind;"
		done
		listen=127.0.0.1:$port
		expand nginx.conf
		echo "}"
	} > "$dir/nginx.conf"
	nginx -e "$dir/nginx.log" -p "$dir" -c "$dir/nginx.conf" < /dev/null &
	server=$!
	pids+=("$server")
}

# await PORT PID: until something other than 502 and 503 comes.
await() {
	local i code
	for ((i = 0; i < 1200; i++)); do
		code=$(curl -s -o /dev/null -m 20 -w '%{http_code}' \
		    "http://127.0.0.1:$1/v1/")
		case $code in 000 | 50[0-9]) ;; *) return 0 ;; esac
		kill -0 "$2" 2> /dev/null || break
		sleep 0.05
	done
	tail -n 40 "$dir"/*.log | sed 's/^/# /'
	echo "Bail out! the web server does not answer ($code)"
	exit 1
}

# ask PATH ARGUMENT...: $code, bytes of body $size, headers in $dir/headers, body in $dir/body.
ask() {
	local path=$1
	shift
	rm -f "$dir/headers" "$dir/body"
	read -r code size < <(curl -s -m 60 --path-as-is -D "$dir/headers" \
	    -o "$dir/body" -w '%{http_code} %{size_download}\n' "$@" \
	    "http://127.0.0.1:$port$path")
	touch "$dir/headers" "$dir/body"
}

# As alice, with JSON.
alice() {
	ask "$@" -u alice:secret -H 'Content-Type: application/json'
}

header() {
	tr -d '\r' < "$dir/headers" | sed -n "s/^$1: //Ip" | tail -n 1
}

# json EXPRESSION: of the body, in Python, as text.
json() {
	python3 -c 'import json, sys
try:
    j = json.load(open(sys.argv[1]))
    print(eval(sys.argv[2]))
except Exception as e:
    print(repr(e))' "$dir/body" "$1"
}

suite_reading() {
	ask /v1/
	is "hello" "$code" 200
	is "hello has a name" "$(json 'j["project_name"]')" kinto
	is "its URL is the one we used" "$(json 'j["url"]')" \
	    "http://127.0.0.1:$port/v1/"
	ask /
	is "the root is redirected" "$code $(header location)" \
	    "307 http://127.0.0.1:$port/v1/"
	ask /v1/buckets
	is "anonymous: 401" "$code $(json 'j["errno"]')" "401 104"
	is "with a challenge" "$(header www-authenticate)" \
	    'Basic realm="Realm"'
	is "errors are JSON" "$(header content-type)" application/json
	ask /v1/nowhere
	is "unknown path: 404" "$code $(json 'j["errno"]')" "404 111"
	ask /v2/buckets
	is "unknown version: 404" "$code $(json 'j["errno"]')" "404 116"
}

suite_writing() {
	local r=/v1/buckets/web/collections/c/records etag
	alice /v1/buckets/web -X PUT
	is "PUT with Authorization" "$code" 201
	alice /v1/buckets/web/collections/c -X PUT
	is "PUT of a collection" "$code" 201
	alice $r/one -X PUT -d '{"data": {"title": "ren\u00e9 é ☃"}}'
	is "PUT of a record" "$code" 201
	etag=$(header etag)
	is "its ETag" "$etag" "\"$(json 'j["data"]["last_modified"]')\""
	alice $r/one
	is "GET gives it back" "$code $(json 'j["data"]["title"]')" \
	    "200 rené é ☃"
	is "the ETag stays" "$(header etag)" "$etag"
	is "security headers come through" "$(header x-content-type-options)" \
	    nosniff
	alice $r/one -H "If-None-Match: $etag"
	is "304" "$code $size" "304 0"
	alice $r/one -X PUT -H 'If-Match: "1"' -d '{"data": {}}'
	is "412" "$code $(json 'j["details"]["existing"]["id"]')" "412 one"
	alice $r/one -I
	is "HEAD" "$code $size $(header etag)" "200 0 $etag"
	[ "$(header content-length)" -gt 50 ]
	result "HEAD tells the length" $?
	alice $r -I
	is "HEAD of a list counts" "$code $(header total-records)" "200 1"
	ask $r/one -u alice:secret -X PATCH \
	    -H 'Content-Type: application/merge-patch+json' \
	    -d '{"data": {"more": [1.0, 12345678901234567890]}}'
	is "PATCH" "$code" 200
	alice "$r?title=ren%C3%A9+%C3%A9%20%E2%98%83"
	is "a filter in UTF-8" "$code $(json 'len(j["data"])')" "200 1"
	alice "$r?in_id=one,$(printf 'x%.0s' {1..8000})"
	is "a long query" "$code $(json 'len(j["data"])')" "200 1"
	alice $r/one -X DELETE
	is "DELETE" "$code $(json 'j["data"]["deleted"]')" "200 True"
	alice $r/one
	is "then 404" "$code $(json 'j["errno"]')" "404 110"
	alice /v1/batch -d '{"defaults": {"method": "PUT"}, "requests": [
	    {"path": "/buckets/web/collections/c/records/b1"},
	    {"path": "/v1/buckets/web/collections/c/records/b2"},
	    {"method": "GET", "path": "/buckets/web/collections/none"}]}'
	is "batch" "$code $(json '[r["status"] for r in j["responses"]]')" \
	    "200 [201, 201, 404]"
	alice "$r?_limit=1"
	is "a page points to the next" "$code" 200
	curl -s -u alice:secret -o "$dir/body" "$(header next-page)"
	is "which exists" "$(json 'len(j["data"])')" 1
}

suite_paths() {
	local r=/v1/buckets/web/collections/c/records
	alice /v1/buckets%2Fweb
	is "an encoded slash comes through" "$code" 200
	alice $r/%C3%A9
	is "UTF-8 in a path" "$code $(json 'j["message"]')" \
	    "400 path: Invalid object id"
	alice /v1/buckets/%FF
	is "a path that is not UTF-8" "$code $(json 'j["message"]')" \
	    "400 Invalid URL path."
	alice /v1//buckets
	is "slashes are not merged" "$code $(json 'j["errno"]')" "404 111"
	alice /v1/buckets/web/
	is "a slash at the end is redirected" "$code $(header location)" \
	    "307 http://127.0.0.1:$port/v1/buckets/web"
	alice '/v1/buckets?x=%FF'
	is "a query that is not UTF-8" "$code $(json 'j["errno"]')" "400 107"
}

suite_methods() {
	local r=/v1/buckets/web/collections/c/records
	ask $r/one -X OPTIONS -H 'Origin: http://site.example' \
	    -H 'Access-Control-Request-Method: PATCH' \
	    -H 'Access-Control-Request-Headers: authorization,if-match'
	is "preflight" "$code $(header access-control-allow-origin)" "200 *"
	[[ $(header access-control-allow-methods) = *PATCH* ]]
	result "it allows PATCH" $?
	[[ $(header access-control-allow-headers) = *if-match* ]]
	result "and the header asked for" $?
	alice $r -X PUT -d '{}'
	is "405" "$code $(json 'j["errno"]')" "405 115"
	[[ $(header allow) = *POST* ]]
	result "405 tells what is allowed" $?
}

suite_bodies() {
	local r=/v1/buckets/web/collections/c/records
	python3 -c 'print("{\"data\": {\"big\": \"" + "x" * 3000000 + "\"}}",
	    end="")' > "$dir/big.json"
	alice $r/big -X PUT --data-binary "@$dir/big.json"
	is "three megabytes" "$code" 201
	alice $r/big
	is "come back" "$(json 'len(j["data"]["big"])')" 3000000
	alice $r/chunked -X PUT -H 'Transfer-Encoding: chunked' \
	    --data-binary '{"data": {"a": 1}}'
	is "a chunked upload" "$code" 201
	alice $r/broken -X PUT -d '{"data": '
	is "broken JSON" "$code $(json 'j["errno"]')" "400 107"
	head -c 17000000 /dev/zero | tr '\0' ' ' > "$dir/large"
	alice $r/large -X PUT -H 'Expect:' --data-binary "@$dir/large"
	is "more than cliquetd takes: 413" "$code $(json 'j["errno"]')" \
	    "413 113"
	head -c 30000000 /dev/zero | tr '\0' ' ' > "$dir/large"
	alice $r/large -X PUT -H 'Expect:' --data-binary "@$dir/large"
	is "more than the web server takes: 413" \
	    "$code $(json 'j["errno"]')" "413 113"
	is "which is JSON too" "$(header content-type)" application/json
	rm -f "$dir/large" "$dir/big.json"
	alice $r/large
	is "nothing was stored" "$code" 404
	ask /v1/ -H "X-Long: $(head -c 90000 /dev/zero | tr '\0' x)"
	case $code in 400 | 431) result "a very long header is refused" 0 ;;
	*) is "a very long header" "$code" 400 ;; esac
}

# upload ID FILE: by alice; $location is below base_url.
upload() {
	ask "/v1/buckets/web/collections/c/records/$1/attachment" \
	    -u alice:secret -H 'Expect:' -F "attachment=@$2"
	location=$(json 'j.get("location", "none")')
	location=${location#"http://127.0.0.1:$port"}
}

# download PATH FILE: it is that file, of no site's name.
download() {
	ask "$1" -H 'Origin: http://site.example'
	is "$3" "$code" 200
	cmp "$2" "$dir/body"
	result "the very file" $?
	is "which runs no script" "$(header content-security-policy)" \
	    "default-src 'none'; sandbox"
	is "is what it says" "$(header x-content-type-options)" nosniff
	is "and may be read by scripts" \
	    "$(header access-control-allow-origin)" "*"
}

# gone PATH: until it is; lighttpd believes for a second or two what it knew of
# a file.
gone() {
	local _
	for _ in {1..120}; do
		ask "$1"
		[ "$code" = 404 ] && break
		sleep 0.5
	done
}

# suite_files LARGE: LARGE bytes are taken.
suite_files() {
	local first
	printf '<script>\0\r\n--x' > "$dir/page.txt"
	upload f "$dir/page.txt"
	is "an upload" "$code" 200
	download "$location" "$dir/page.txt" "served at base_url"
	[ -z "$sendfile" ] ||
	    download "/v1$location" "$dir/page.txt" "sent for cliquetd"
	first=$location
	ask "$first" -H 'Range: bytes=1-6'
	is "in part too" "$code $(cat "$dir/body")" "206 script"
	head -c "$1" /dev/urandom > "$dir/large.bin"
	mv "$dir/large.bin" "$dir/large.txt"
	upload f "$dir/large.txt"
	is "a file of $1 bytes" "$code" 200
	gone "$first"
	is "the one it replaced is gone" "$code" 404
	ask "/v1$first"
	is "for cliquetd too" "$code" 404
	ask "${sendfile:+/v1}$location"
	is "the new one comes whole" "$code $(sha256sum < "$dir/body")" \
	    "200 $(sha256sum < "$dir/large.txt")"
	ask "/.${location#/}"
	[ "$code" != 200 ]
	result "no other way leads to it" $?
	ask /attachments/.incoming/
	case $code in 403 | 404) result "nor to what is on its way" 0 ;;
	*) is "nor to what is on its way" "$code" 404 ;; esac
	ask /attachments/../test.db
	case $code in 307 | 400 | 404) result "nor to what lies beside" 0 ;;
	*) is "nor to what lies beside" "$code" 404 ;; esac
	alice /v1/buckets/web/collections/c/records/f -X DELETE
	gone "$location"
	is "deleted with its record" "$code" 404
}

suite() {
	suite_reading
	suite_writing
	suite_paths
	suite_methods
	suite_bodies
}

suite_down() {
	kill -TERM "$cliquetd"
	wait "$cliquetd" 2> /dev/null
	ask /v1/
	is "without cliquetd: 503" "$code $(json 'j["errno"]')" "503 201"
	is "as JSON" "$(header content-type)" application/json
}

# suite_up PID: cliquetd is started again and found again.
suite_up() {
	start_cliquetd
	await "$port" "$1"
	alice /v1/buckets/web
	is "and with it again" "$code" 200
}
