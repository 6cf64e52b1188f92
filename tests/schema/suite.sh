#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The official test suite (Debian package json-schema-test-suite, or a newer
# one whose folder JSON_SCHEMA_TEST_SUITE names): every required test of the
# drafts that it has, as TAP.

suite=${JSON_SCHEMA_TEST_SUITE:-/usr/share/json-schema-test-suite}
run=${CLQ_BUILDDIR:?}/tests/schema/run_suite
status=0 n=0

if [ ! -d "$suite/tests/draft7" ]; then
	echo "1..0 # SKIP no json-schema-test-suite"
	exit 0
fi
for draft in draft4 draft6 draft7 draft2019-09 draft2020-12; do
	[ -d "$suite/tests/$draft" ] || continue
	echo "# $draft"
	# One plan for all drafts: numbers go on, plans are left out.
	while IFS= read -r line; do
		case $line in
		1..*) ;;
		"ok "* | "not ok "*)
			n=$((n + 1))
			head=${line%% [0-9]*}
			rest=${line#* - }
			echo "$head $n - $draft: $rest"
			[ "$head" = ok ] || status=1
			;;
		*) printf '%s\n' "$line" ;;
		esac
	done < <("$run" "$suite" "$draft" "$suite/tests/$draft"/*.json)
done
echo "1..$n"
[ "$n" -gt 1000 ] || { echo "Bail out! only $n tests"; status=1; }
exit $status
