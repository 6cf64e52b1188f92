# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# TAP for tests in shell. To be sourced.
#
#	result NAME STATUS [LOG...]	a line; 0 is good, else the ends of the
#					logs (of $logs if none is named) follow
#	is NAME GOT WANTED		by comparison
#	plan				the last line; exits, 1 if one failed
#	free_port			printed (ports.py)

support=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
n=0
failed=0
logs=()

result() {
	local name=$1 status=$2 file
	shift 2
	[ $# -gt 0 ] || set -- ${logs[@]+"${logs[@]}"}
	n=$((n + 1))
	if [ "$status" -eq 0 ]; then
		echo "ok $n - $name"
		return
	fi
	echo "not ok $n - $name"
	failed=$((failed + 1))
	for file; do
		[ ! -e "$file" ] || tail -n 30 "$file" | cut -c 1-2000 |
		    sed 's/^/# /'
	done
}

is() {
	[ "$2" = "$3" ]
	result "$1" $?
	[ "$2" = "$3" ] || printf '# got:    %s\n# wanted: %s\n' "$2" "$3"
}

plan() {
	echo "1..$n"
	exit $((failed > 0))
}

free_port() {
	python3 "$support/ports.py"
}
