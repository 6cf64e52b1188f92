# SPDX-License-Identifier: Apache-2.0
#
# Part of man/settings.sh: the output of `cliquet dump-config` as a list of
# mdoc. Paragraphs are a setting each: its meaning as comments, the last
# sentence being its type, bounds and default; then `#key = value`.

BEGIN {
	while ((getline key < seen) > 0)
		known[key] = 1
}

function text(line) {
	gsub(/\\/, "\\e", line)
	return line ~ /^[.']/ ? "\\\\&" line : line
}

function head() {
	if (title == "")
		return
	print (title ~ /^SETTINGS/ ? ".Sh " : ".Ss ") title
	print ".Bl -tag -width indent"
	title = ""
	open = 1
}

# An empty line, or the end: a paragraph is complete.
function flush(    what, kind) {
	# Without a meaning: a member of a family, set to satisfy a plugin.
	if (meaning == "")
		key = ""
	if (key == "" || key in known || meaning ~ /has no effect here/) {
		if (key != "" && !(key in known) && meaning ~ /no effect/) {
			ignored = ignored (ignored == "" ? "" : " ,\n") \
			    ".Ic " key
			print key >> seen
		}
		key = meaning = ""
		return
	}
	print key >> seen
	head()
	kind = what = meaning
	if (match(meaning, /(Text|List, separated by blanks|Secret text|true or false|Integer,[^;]*); default: .*$/)) {
		what = substr(meaning, 1, RSTART - 1)
		kind = substr(meaning, RSTART)
	}
	sub(/ +$/, "", what)
	while (match(what, /[.] +[A-Z]/))	# a sentence begins its own line
		what = substr(what, 1, RSTART) "\n" \
		    substr(what, RSTART + RLENGTH - 1)
	print ".It Ic " key
	print text(what)
	print ".br"
	print ".Em " word(kind)
	key = meaning = ""
}

# On a line of macros every word could be one, and a quote begins a string.
function word(line) {
	gsub(/\\/, "\\e", line)
	gsub(/"/, "\"\"", line)
	return "\"" line "\""
}

/^\[/ || /^# Effective configuration/ { next }
/^# (Set by|Not known)/ { next }
/^# / { meaning = meaning (meaning == "" ? "" : " ") substr($0, 3); next }
/^$/ { flush(); next }
/^#?[^ ]+ =/ && key == "" {
	key = $1
	sub(/^#/, "", key)
}

END {
	flush()
	if (open)
		print ".El"
	if (ignored != "") {
		print ".Ss Without effect"
		print "Known to the Python implementation, accepted and of no"
		print "effect here:"
		print ignored " ."
	}
	close(seen)
}
