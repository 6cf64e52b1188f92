#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The operator's command: exit status and output of each sub-command, with
# good and with wrong configurations (section 09-7). Starts no server.
# From the environment: CLIQUET (the program), CLQ_PLUGIN_PATH.

cliquet=${CLIQUET:-./cliquet}
top=$(cd "$(dirname "$0")/../.." && pwd) || exit 99
dir=$(mktemp -d "${TMPDIR:-/tmp}/cliquet-command.XXXXXX") || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
unset CLIQUET_INI KINTO_INI KINTO_READONLY CLIQUET_READONLY READONLY
n=0

# check STATUS TEXT ARGUMENT...: the status, and the text in what is said.
check() {
	local want=$1 text=$2 said status
	shift 2
	said=$("$cliquet" "$@" 2>&1)
	status=$?
	n=$((n + 1))
	if [ "$status" -eq "$want" ] && [[ $said == *"$text"* ]]; then
		echo "ok $n - cliquet $*"
	else
		echo "not ok $n - cliquet $*: status $status, not $want"
		echo "# wanted: $text"
		printf '%s\n' "$said" | head -20 | sed 's/^/# /'
	fi
}

# is NAME COMMAND...: the command succeeds.
is() {
	local name=$1
	shift
	n=$((n + 1))
	if "$@" >/dev/null 2>&1; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
	fi
}

# ---- the command line
check 0 'usage: cliquet' --help
check 1 "there is an application 'kinto' already" new kinto
check 0 'scores: made' new scores
is 'an application of one'\''s own links to no other' \
    grep -qx 'error_info_link =' scores/scores.ini
check 2 'usage: cliquet'
check 2 "there is no command 'frobnicate'" frobnicate
check 2 'an option that version does not take' version --backend sqlite
check 2 'too many operands for init' init now
check 2 'too few operands for purge-deleted' purge-deleted record
check 2 "'few' is no number" purge-deleted record few
check 2 '' init --no-such-option
check 0 '.' version

# ---- init
check 0 'config/kinto.ini: written' init
is 'the file is private' test "$(stat -c %a config/kinto.ini)" = 600
check 1 'config/kinto.ini: exists already' init
is 'secrets differ' test "$(grep -c hmac config/kinto.ini)" -eq \
    "$(grep hmac config/kinto.ini | sort -u -k3 | wc -l)"
check 0 'a.ini: written' init --ini a.ini --data 'da%ta' --socket s.sock \
    --cache-backend memory
is 'the folder of the data is made' test -d 'da%ta'
check 0 'b.ini: written' --ini b.ini init --backend memory --host 127.0.0.1
is 'the host got a port' grep -q '^socket = 127.0.0.1:9000$' b.ini
check 0 'p.ini: written' --ini p.ini init --backend postgresql
check 0 'p.ini: good' check-config --ini p.ini
check 1 "'mysql' is not available" init --ini c.ini --backend mysql
check 1 'exclude each other' init --ini c.ini --host h --socket s
check 1 'with a blank' init --ini c.ini --socket 'a b'
is 'refused options leave no file' test ! -e c.ini

# ---- check-config
check 0 'config/kinto.ini: good' check-config
check 0 'a.ini: good' check-config --ini a.ini
check 0 'b.ini: good' --ini=b.ini check-config
check 1 'none.ini: no such file' check-config --ini none.ini
check 1 '/: not a file' check-config --ini /
export CLIQUET_INI=a.ini KINTO_INI=none.ini
check 0 'a.ini: good' check-config
unset CLIQUET_INI
check 1 'none.ini: no such file' check-config
unset KINTO_INI
{
	cat b.ini
	echo 'max_requests = many'
	echo 'readonly = perhaps'
	echo 'kinto.workers = 7'
	echo 'log_level = loud'
	echo 'eos_url = %(nothing)s'
} > wrong.ini
line=$(wc -l < b.ini)
for text in "wrong.ini:$((line + 1)): max_requests: 'many' is not an integer" \
    "wrong.ini:$((line + 2)): readonly: 'perhaps' is neither" \
    "wrong.ini:$((line + 3)): Settings 'workers', 'kinto.workers' are in" \
    "wrong.ini:$((line + 4)): log_level: 'loud' is unknown" \
    "wrong.ini:$((line + 5)): eos_url: %(nothing)s names nothing"; do
	check 1 "$text" check-config --ini wrong.ini
done
sed 's/^storage_backend = .*/storage_backend = oracle/' b.ini > other.ini
check 1 "there is no storage plugin 'oracle'" check-config --ini other.ini
sed 's/^use = .*/use = egg:nothing/' b.ini > other.ini
check 1 "there is no app plugin 'nothing'" check-config --ini other.ini

# Everything at once, whoever has to say it: file, core, server, log, plugin.
{
	sed -e 's/^storage_backend = .*/storage_backend = oracle/' \
	    -e 's/^use = .*/use = egg:nothing/' b.ini
	echo 'max_requests = many'
	echo 'socket_mode = 999'
	echo 'user = nobody-of-that-name'
	echo 'log_format = loud'
	echo 'eos = someday'
} > all.ini
for text in "max_requests: 'many' is not" "socket_mode: not an octal" \
    'user: there is no user "nobody-of-that-name"' \
    "log_format: 'loud' is unknown" "no storage plugin 'oracle'" \
    "no app plugin 'nothing'" 'eos: "someday" is not a date'; do
	check 1 "$text" check-config --ini all.ini
done
# What only the server reads is no matter for the echoes of the rest.
is 'one line for each problem' test "$("$cliquet" check-config --ini all.ini \
    2>&1 | grep -c 'all.ini:')" -eq 8
if [ -n "${CLIQUETD:=$(dirname "$cliquet")/cliquetd}" ]; then
	said=$("$CLIQUETD" --check all.ini 2>&1)
	for text in 'max_requests' 'socket_mode' 'user:' 'oracle' 'nothing' \
	    'eos:'; do
		is "cliquetd --check says it too: $text" \
		    grep -q "$text" <<< "$said"
	done
fi
export CLIQUET_WORKRES=3 CLIQUET_HISTORY_NOTHING=1 KINTO_VERSION=9 KINTO_PAGINATE_BI=1
check 0 'environment CLIQUET_WORKRES: sets nothing; did you mean CLIQUET_WORKERS' \
    check-config --ini a.ini
check 0 'environment CLIQUET_HISTORY_NOTHING: sets nothing; a key that no' \
    check-config --ini a.ini
check 0 'did you mean KINTO_PAGINATE_BY' check-config --ini a.ini
is 'what may be meant for others is left alone' sh -c \
    "! '$cliquet' check-config --ini a.ini 2>&1 | grep KINTO_VERSION"
unset CLIQUET_WORKRES CLIQUET_HISTORY_NOTHING KINTO_VERSION KINTO_PAGINATE_BI

{ cat a.ini; printf '\n[resorce:mushroom]\npath = /m\n[logger_root]\nlevel = INFO\n'; } > odd.ini
check 0 'the section [resorce:mushroom] is not one of the server'\''s and has no effect; did you mean [resource:mushroom]?' \
    check-config --ini odd.ini
is 'with file and line' grep -q 'odd.ini:[0-9]*: the section' \
    <("$cliquet" check-config --ini odd.ini 2>&1)
is 'one line for it, none for the logger' test "$("$cliquet" check-config \
    --ini odd.ini 2>&1 | grep -c 'the section')" -eq 1

# A setting in a section that is another program's, as at the end of an ini of
# Kinto's; what is theirs there is no matter.
sed -e 's/kinto.core.*\.\(postgresql\|memcached\)$/memory/' -e 's/@secret@/x/' \
    -e '/@.*@/d' "$top/tests/data/kinto-init.ini" > theirs.ini
check 0 'theirs.ini: good' check-config --ini theirs.ini
is 'an ini of Kinto has nothing misplaced' sh -c "! '$cliquet' check-config \
    --ini theirs.ini 2>&1 | grep -E 'no effect; write|a second'"
sed '$a readonly = true\nlevel = INFO\nworkers = 3\nkinto.workers = 3' theirs.ini \
    > misplaced.ini
last=$(wc -l < misplaced.ini)
check 0 "misplaced.ini:$((last - 3)): readonly in [formatter_json] has no effect; write it into [app:main]" \
    check-config --ini misplaced.ini
check 0 "misplaced.ini:$last: kinto.workers in [formatter_json] has no effect" \
    check-config --ini misplaced.ini
is 'two lines are misplaced' test "$("$cliquet" check-config \
    --ini misplaced.ini 2>&1 | grep -c 'no effect; write')" -eq 2
edit=$(sed -n 's|^\(sed -i .*\) /etc/cliquet/cliquet.ini$|\1|p' \
    "$top/docs/guides/read-only.md")
is 'the guide to read-only edits an ini' sh -c \
    "$(head -1 <<< "$edit") theirs.ini"
check 0 $'theirs.ini:9.\nreadonly = true' dump-config --ini theirs.ini
is 'and takes it back' sh -c "$(tail -1 <<< "$edit") theirs.ini &&
    ! grep readonly theirs.ini"
{ cat a.ini; printf '\n[resource:room]\nfields = a: int\nreadonly = true\n'; } > room.ini
check 1 "there is no attribute 'true'; name one of \`fields\` or of the schema's properties (for a service that is read-only the line belongs below [app:main])" \
    check-config --ini room.ini
{ cat a.ini; printf '[server:main]\nport = 1\n[app:main]\neos_url = /\n'; } > twice.ini
check 0 "twice.ini:$(($(wc -l < twice.ini) - 1)): a second [app:main] is read as a part of the first, at line $(grep -n -m 1 '^.app:main' a.ini | cut -d: -f1)" \
    check-config --ini twice.ini

{
	cat a.ini
	echo 'event_listeners = audit disk'
	echo 'event_listeners.audit.use = log'
	echo 'event_listeners.audit.formt = json'
	echo 'event_listeners.audit.acions = create'
	echo 'event_listeners.audit.format = json'
	echo 'event_listeners.disk.use = log'
	echo 'event_listeners.dsk.format = text'
} > listeners.ini
last=$(wc -l < listeners.ini)
check 0 "listeners.ini:$((last - 4)): 'event_listeners.audit.formt' is no option of the listener audit; did you mean 'format'?" \
    check-config --ini listeners.ini
check 0 "listeners.ini:$((last - 3)): 'event_listeners.audit.acions' is no option of the listener audit; did you mean 'actions'?" \
    check-config --ini listeners.ini
check 0 "listeners.ini:$last: 'event_listeners.dsk.format' has no effect: event_listeners does not name 'dsk'; did you mean 'disk'?" \
    check-config --ini listeners.ini
is 'three lines for listeners' test "$("$cliquet" check-config \
    --ini listeners.ini 2>&1 | grep -c "'event_listeners\.")" -eq 3
for host in '[::1]:8443' api.example.org example.org:80/kinto; do
	{ cat a.ini; echo "http_host = $host"; echo 'http_scheme = https'; } > host.ini
	check 0 'host.ini: good' check-config --ini host.ini
done
{ cat a.ini; printf 'http_host = a b\nhttp_scheme = gopher\n'; } > host.ini
check 1 'http_host: "a b" is no host' check-config --ini host.ini
check 1 'http_scheme: "gopher" is neither http nor https' \
    check-config --ini host.ini
check 1 '999999999 is not the process id of' top --once 999999999
is 'no option that cliquetd does not have' sh -c "! '$CLIQUETD' none.ini \
    2>&1 | grep -e '--ini,'"

# A folder that the server could not write to.
as=
if [ "$(id -u)" -eq 0 ]; then
	as="setpriv --reuid=65534 --regid=65534 --clear-groups"
	chmod 711 "$dir"
	mkdir closed && chmod 755 closed && cp b.ini closed/c.ini
else
	mkdir closed && cp b.ini closed/c.ini
fi
sed -i -e 's/^storage_backend = .*/storage_backend = sqlite/' \
    -e "s|^storage_url = .*||" closed/c.ini
echo "storage_url = sqlite://$dir/closed/data.db" >> closed/c.ini
chmod 644 closed/c.ini
[ -n "$as" ] || chmod 555 closed
if $as test -x "$cliquet" 2> /dev/null; then
	for program in "$cliquet --ini $dir/closed/c.ini check-config" \
	    "$CLIQUETD $dir/closed/c.ini"; do
		# shellcheck disable=SC2086
		said=$($as timeout 60 $program 2>&1)
		is "it is named: ${program%% *}" grep -q \
		    "storage_url: $dir/closed cannot be written by user id" \
		    <<< "$said"
	done
else
	n=$((n + 1))
	echo "ok $n - a folder that cannot be written # SKIP build folder"
fi
chmod 755 closed

# ---- dump-config
export CLIQUET_WORKERS=5
check 0 '# Set by environment CLIQUET_WORKERS, over b.ini:' \
    dump-config --ini b.ini
unset CLIQUET_WORKERS
check 0 '# Set by a.ini:' dump-config --ini a.ini
is 'no secret is shown' sh -c "! '$cliquet' dump-config --ini a.ini |
    grep -q \"\$(sed -n 's/^userid_hmac_secret = //p' a.ini)\""
check 1 'workers' dump-config --ini wrong.ini
"$cliquet" dump-config --ini a.ini > dumped.ini
check 1 'userid_hmac_secret' check-config --ini dumped.ini
sed -i 's/^#\(.*\) = \*\*\*/\1 = x/' dumped.ini
check 0 'dumped.ini: good' check-config --ini dumped.ini
check 1 '' dump-config --ini none.ini

# ---- what works on data
check 0 'dry run' migrate --ini a.ini --dry-run
is 'a dry run makes nothing' test ! -e 'da%ta/kinto.db'
check 0 'storage: sqlite is up to date' migrate --ini a.ini
check 0 'storage: sqlite is up to date' migrate --ini a.ini
check 0 '0 tombstones purged' purge-deleted --ini a.ini record bucket 10
check 1 "there is no resource 'buckets'; the application has: " \
    purge-deleted --ini a.ini record buckets 10
check 1 'out of reach' purge-deleted --ini b.ini record 10
check 1 'out of reach' flush-cache --ini a.ini
export KINTO_READONLY=true
check 0 'left alone' migrate --ini a.ini
check 1 'nothing can be purged' purge-deleted --ini a.ini record 10
unset KINTO_READONLY

echo "1..$n"
