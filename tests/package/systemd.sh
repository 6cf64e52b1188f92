#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The units under systemd itself: as the first program of a container whose
# root nobody will miss (run.sh boots it). Socket activation, readiness,
# sandbox, reload, restart, watchdog, crash, a broken ini, journal, upgrade,
# purge. TAP; the folder of this script has debs/ and newer/.
set -u
cd "$(dirname "$0")" || exit 99
export LC_ALL=C.UTF-8 HOME=/root DEBIAN_FRONTEND=noninteractive
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
ini=/etc/cliquet/cliquet.ini

. ./ok.sh

property() {	# UNIT NAME
	systemctl show --value -p "$2" "$1"
}
main() {
	property cliquet.service MainPID
}
answers() {
	cliquet -q request GET /v1/__lbheartbeat__ > /dev/null
}
# until_true SECONDS COMMAND...
until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@" > /dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}
another_main() {	# OLD
	local new
	new=$(main)
	[ "$new" != 0 ] && [ "$new" != "$1" ]
}
in_journal() {
	journalctl --sync
	journalctl -q -u cliquet.service -o cat --no-pager | grep -q "$1"
}

# ---- socket activation ---------------------------------------------------------

ok "packages are there" cliquet version
ok "units are loaded" systemctl daemon-reload
ok "the socket starts" systemctl start cliquet.socket
is "its owner and mode" "$(stat -c '%U:%G %a' /run/cliquet/cliquet.sock)" \
    "cliquet:www-data 660"
is "the service" "$(property cliquet.service ActiveState)" inactive
ok "the first request starts it" answers
ok "the service is active" until_true 90 systemctl is-active cliquet.service
is "it says that it is ready" "$(property cliquet.service Type)" notify
ok "and how many serve" bash -c \
    'systemctl show -p StatusText cliquet.service | grep -q "=[0-9]* worker"'
ok "a write" cliquet request -u token -p secret PUT \
    /v1/buckets/default/collections/notes/records/first \
    '{"data": {"text": "kept"}}'

# ---- the sandbox -----------------------------------------------------------------

status=/proc/$(main)/status
is "user" "$(stat -c %U "$status")" cliquet
is "new privileges" "$(sed -n 's/^NoNewPrivs:\t//p' "$status")" 1
is "system calls are filtered" "$(sed -n 's/^Seccomp:\t//p' "$status")" 2
is "capabilities" "$(sed -n 's/^CapBnd:\t//p' "$status")" 0000000000000000
is "the data" "$(stat -c '%U %a' /var/lib/cliquet)" "cliquet 750"
ok "the system is read only to it" nsenter -t "$(main)" -m \
    bash -c '! touch /usr/x && ! touch /etc/x && touch /var/lib/cliquet/x'

# ---- reload, restart, stop -------------------------------------------------------

# While COMMAND runs, requests come, some before and some after it; none may
# fail.
under_load() {
	local stop=$PWD/stop load status
	: > served
	rm -f "$stop"
	(until [ -e "$stop" ]; do
		answers || { echo "a request failed"; exit 1; }
		echo >> served
	done; wc -l served) &
	load=$!
	more_served "$load"
	"$@"
	status=$?
	more_served "$load"
	touch "$stop"
	wait "$load" && [ "$status" -eq 0 ]
}
# more_served PID: two more requests have been answered, or PID has ended.
more_served() {
	local wanted=$(($(wc -l < served) + 2))
	while kill -0 "$1" 2> /dev/null && [ "$(wc -l < served)" -lt "$wanted" ]
	do
		sleep 0.05
	done
}
before=$(main)
echo 'batch_max_requests = 7' >> $ini
ok "reload loses no request" under_load systemctl reload cliquet.service
is "the master" "$(main)" "$before"
ok "and reads the ini" until_true 90 bash -c \
    'cliquet request GET /v1/ | grep -q "\"batch_max_requests\": *7\b"'
ok "restart loses no request" under_load systemctl restart cliquet.service
ok "another master" another_main "$before"

# ---- what goes wrong -------------------------------------------------------------

before=$(main)
ok "a crash" kill -KILL "$before"
ok "it is started again" until_true 90 another_main "$before"
ok "and answers" until_true 90 answers

mkdir -p /etc/systemd/system/cliquet.service.d
printf '[Service]\nWatchdogSec=10\n' \
    > /etc/systemd/system/cliquet.service.d/test.conf
ok "a shorter watchdog" bash -c \
    'systemctl daemon-reload && systemctl restart cliquet.service'
before=$(main)
sleep 21		# twice as long, and asked several times
is "a master that lives stays" "$(main)" "$before"
kill -STOP "$before"
ok "one that hangs is replaced" until_true 90 another_main "$before"
ok "and the new one answers" until_true 90 answers

cp -p $ini good.ini
echo 'workers = many' >> $ini
ok "a broken ini: no start" refuses systemctl restart cliquet.service
ok "the journal says where" until_true 90 in_journal \
    "cliquet.ini:[0-9]*: .*workers"
cp -p good.ini $ini
systemctl reset-failed cliquet.service cliquet.socket
ok "mended: it starts" systemctl restart cliquet.socket cliquet.service
ok "and answers" answers
ok "it is an error there" bash -c \
    'journalctl -q -u cliquet.service -p err --no-pager | grep "cliquet.ini:"'
ok "others are not" bash -c \
    '! journalctl -q -u cliquet.service -p err --no-pager | grep "ready, "'

# ---- upgrade, removal --------------------------------------------------------------

before=$(main)
ok "an upgrade loses no request" under_load dpkg -i newer/*.deb
ok "the new version runs" another_main "$before"
ok "and has the data" bash -c 'cliquet request -u token -p secret GET \
    /v1/buckets/default/collections/notes/records/first | grep -q kept'
ok "removal" dpkg --remove cliquet
is "the service" "$(property cliquet.service ActiveState)" inactive
ok "its socket is gone" test ! -e /run/cliquet/cliquet.sock
ok "purge" dpkg --purge cliquet
ok "its units are gone" refuses systemctl cat cliquet.service
