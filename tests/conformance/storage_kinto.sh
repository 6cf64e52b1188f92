#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What any storage backend promises, of kinto.so with another cliquet behind
# it. What cannot be had over the protocol is listed here by name, and counted
# as skipped; if one of these passes, or is gone, that is a failure.
. "$(dirname "${BASH_SOURCE[0]}")/run.sh"

if [ -z "${CLQ_KINTO_URL:-}" ]; then
	CLQ_BUILDDIR=$builddir "$srcdir/tests/support/with-kinto" \
	    bash "${BASH_SOURCE[0]}"
	status=$?
	[ $status -eq 77 ] || exit $status
	echo "1..0 # SKIP no nginx"
	exit 0
fi

# docs/remote-kinto.md, "What cannot be had", says why.
cat > "$folder/cannot" << LIST
any_parent::reads_counts_and_deletes_in_all_lists	no list of all users
batches::of_the_same_objects_in_any_order_all_succeed_at_once	no locks
client_timestamp::that_only_the_object_itself_has_is_kept	counts as none there
killed_writer::lets_others_go_on_and_loses_nothing_acknowledged	no locks
only_ids::restrict_a_list	ids of letters, digits, _ and -
ping::says_up_and_stores_nothing	no totals
purge::before_a_time_keeps_later_ones	no purge
purge::can_be_limited_to_a_resource	no purge
purge::removes_tombstones_and_keeps_the_living	no purge
purge::retains_the_newest_of_each_list	no purge
purge::with_a_bound_leaves_the_clock	no purge
purge::without_bound_never_turns_a_clock_back	no purge
text::of_any_kind_is_an_id_or_a_parent	ids of letters, digits, _ and -
tombstone::takes_part_only_when_asked_for	no attribute "deleted" of true
totals::count_each_resource	no totals
transaction::undone_leaves_nothing	what was sent is undone by its contrary
trim::keeps_the_newest_and_leaves_no_tombstones	no trim
trim::looks_at_filters	no trim
LIST

export CLQ_TEST_OPTIONS="storage_bucket = conformance"
export CLQ_TEST_STOP="$CLQ_KINTO_CTL stop" CLQ_TEST_START="$CLQ_KINTO_CTL start"
suite storage kinto "${CLQ_KINTO_URL/:\/\//:\/\/service:secret@}" |
    awk -F '\t' '
	FNR == NR { why[$1] = $2; next }
	{
		name = $0
		sub(/^(not )?ok - /, "", name)
		sub(/ +\([0-9.]+s\)$/, "", name)
	}
	!(name in why) { print; next }
	/^not ok/ { print "ok - " name " # SKIP " why[name] }
	/^ok/ { print "not ok - " name ": is on the list, but passes" }
	{ delete why[name] }
	END {
		for (name in why)
			print "not ok - " name ": is on the list, but gone"
	}' "$folder/cannot" -
