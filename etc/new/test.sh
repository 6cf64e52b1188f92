#!/bin/sh
# Starts @NAME@ in a temporary folder and talks to it. TAP.
set -u
cd "$(dirname "$0")" || exit 1
dir=$(mktemp -d) || exit 1
server=
n=0 failed=0

end() {
	[ -n "$server" ] && kill "$server" 2> /dev/null && wait "$server"
	rm -rf "$dir"
}
trap end EXIT
trap 'exit 1' INT TERM

ask() {
	cliquet -q --ini "$dir/@NAME@.ini" request "$@" 2>&1
}

# check NAME TEXT REQUEST...: the answer holds the text.
check() {
	name=$1 text=$2
	shift 2
	n=$((n + 1))
	answer=$(ask "$@")
	case $answer in
	*"$text"*) echo "ok $n - $name" ;;
	*) echo "not ok $n - $name"; echo "# $answer"; failed=1 ;;
	esac
}

export CLIQUET_USERID_HMAC_SECRET=of-the-test
sed -e "s|^socket = .*|socket = $dir/socket|" \
    -e "s|^storage_url = .*|storage_url = sqlite://$dir/test.db|" \
    -e "s|%(here)s|$PWD|" @NAME@.ini > "$dir/@NAME@.ini"
cliquetd "$dir/@NAME@.ini" > "$dir/log" 2>&1 &
server=$!
i=0
until ask GET /v1/__lbheartbeat__ > /dev/null; do
	i=$((i + 1))
	if [ $i -gt 100 ] || ! kill -0 "$server" 2> /dev/null; then
		cat "$dir/log"
		echo "Bail out! the server does not start"
		exit 1
	fi
	sleep 0.1
done

check "hello" '"project_name":"@NAME@"' GET /v1/
check "greeting" '"Hello, you."' GET /v1/greeting/you
check "greeting, loud" '"Hello, you!"' GET '/v1/greeting/you?shout=yes'
check "greeting, wrong" '"name":"shout"' GET '/v1/greeting/you?shout=perhaps'
check "a note without user" '"code":401' POST /v1/notes '{"data":{"text":"x"}}'
check "a note" '"done":false' POST /v1/notes '{"data":{"text":"x"}}' \
    -u me -p secret
check "a note, wrong" 'data.text in body: Required' POST /v1/notes \
    '{"data":{}}' -u me -p secret
check "the list" '"text":"x"' GET /v1/notes -u me -p secret
check "somebody else's list" '{"data":[]}' GET /v1/notes -u other -p secret
echo "1..$n"
exit $failed
