# SPDX-License-Identifier: Apache-2.0
#
# A public header as a manual page (mdoc), on standard output.
#
#	awk -v date='November 24, 2026' -f man/api.awk core/include/cliquet/X.h
#
# The headers hold the documentation: the comment at the head says what the
# file is for, the one above a declaration what that does. Pieces are told
# apart by empty lines outside of braces and comments. A function that nothing
# is said about, neither itself nor with its neighbours, is an error.

function fail(what) {
	printf "%s:%d: %s\n", FILENAME, FNR, what > "/dev/stderr"
	failed = 1
}

# One line of text or of code: nothing in it is a command to the formatter.
function plain(line) {
	gsub(/\\/, "\\e", line)
	return line ~ /^[.']/ ? "\\\\&" line : line
}

# What a comment says; columns in it (a list of parameters, a table) stay.
function say(text, after_head,    paragraphs, n, i, lines, m, j) {
	n = split(text, paragraphs, /\n[ \t]*\n/)
	# The title alone is in NAME already.
	i = after_head && n > 1 && paragraphs[1] !~ /\n/ ? 2 : 1
	for (; i <= n; i++) {
		if (!after_head)
			print ".Pp"
		after_head = 0
		m = split(paragraphs[i], lines, "\n")
		if (paragraphs[i] ~ /(^|\n)[ \t]+[^ \t]|[^ \t.](  |\t)/) {
			print ".Bd -literal -compact"
			for (j = 1; j <= m; j++)
				print plain(lines[j])
			print ".Ed"
			continue
		}
		for (j = 1; j <= m; j++) {
			# A sentence begins its own line.
			gsub(/[.:] +/, "&\001", lines[j])
			gsub(/ *\001/, "\n", lines[j])
			print say_line(lines[j])
		}
	}
}

function say_line(text,    parts, n, i, out) {
	n = split(text, parts, "\n")
	for (i = 1; i <= n; i++)
		out = out (i > 1 ? "\n" : "") plain(parts[i])
	return out
}

# A piece ends: its declarations, then what is said about them.
function flush(    n, lines, i) {
	if (functions && comment == "" && !said)
		fail("nothing is said about the function above")
	if (comment != "")
		said = 1
	if (code != "") {
		print ".Bd -literal -offset indent"
		n = split(code, lines, "\n")
		for (i = 1; i <= n; i++)
			print plain(lines[i])
		print ".Ed"
	}
	if (comment != "")
		say(comment)
	comment = code = ""
	functions = 0
}

BEGIN { depth = 0 }

FNR == 1 {
	file = FILENAME
	sub(/.*\//, "", file)
	name = file == "cliquet.h" ? "cliquet" : "clq_" file
	sub(/\.h$/, "", name)
	next
}

# The guard, and what is for C++ only.
/^#(ifndef|define) (CLQ_.*|CLIQUET)_H$/ { next }
/^#ifdef __cplusplus/ { depth_if++; skipping = 1; next }
skipping && /^#else/ { skipping = 0; next }
skipping && /^#endif/ { skipping = 0; next }
skipping { next }
/^#include <cliquet\// && name == "cliquet" {
	sub(/.*\//, "")
	sub(/\.h>.*/, "")
	others = others ".Xr clq_" $0 " 3 ,\n"
	next
}
/^#include/ { next }
/^\/\* clang-format/ { next }
!body && !in_comment && /^#endif/ { next }

in_comment {
	line = $0
	if (line ~ /\*\/[ \t]*$/) {
		in_comment = 0
		sub(/[ \t]*\*\/[ \t]*$/, "", line)
	}
	sub(/^ \*[ ]?/, "", line)
	comment = comment (comment == "" ? "" : "\n") line
	if (!in_comment)
		end_comment()
	next
}

function end_comment(    title) {
	sub(/\n+$/, "", comment)
	if (!headed) {			# the head of the file
		headed = 1
		title = comment
		sub(/\n.*/, "", title)
		sub(/[.:]$/, "", title)
		printf ".Dd %s\n.Dt %s 3\n.Os cliquet\n.Sh NAME\n", date,
		    toupper(name)
		printf ".Nm %s\n.Nd %s\n", name, plain(title)
		printf ".Sh SYNOPSIS\n.In cliquet/%s\n.Sh DESCRIPTION\n", file
		say(comment, 1)
		comment = ""
		body = 1
	}
}

depth == 0 && /^\/\* ---- .* -+ \*\/$/ {
	flush()
	sub(/^\/\* -+ /, "")
	sub(/ -+ \*\/$/, "")
	print ".Ss " toupper(substr($0, 1, 1)) substr($0, 2)
	said = 0
	next
}

depth == 0 && /^\/\*/ {
	flush()
	line = $0
	sub(/^\/\*[ ]?/, "", line)
	if (line ~ /\*\/[ \t]*$/) {
		sub(/[ \t]*\*\/[ \t]*$/, "", line)
		comment = line
		end_comment()
		next
	}
	comment = line
	in_comment = 1
	next
}

depth == 0 && /^[ \t]*$/ { if (code != "") flush(); next }

{
	line = $0
	sub(/^CLQ_API /, "", line)
	if ($0 ~ /^CLQ_API /)
		functions++
	code = code (code == "" ? "" : "\n") line
	depth += gsub(/\{/, "{", $0) - gsub(/\}/, "}", $0)
}

END {
	# The last lines are the #endif of the guard.
	sub(/\n?#endif[^\n]*$/, "", code)
	flush()
	if (!headed)
		fail("has no comment at its head")
	print ".Sh SEE ALSO"
	printf "%s", name == "cliquet" ? others : ".Xr cliquet 3 ,\n"
	print ".Xr cliquetd 8"
	print ".Pp"
	print "Sections such as 04-6 are those of the protocol,"
	print ".Pa docs/protocol/ ."
	exit failed
}
