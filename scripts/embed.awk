# SPDX-License-Identifier: Apache-2.0
#
# Files as a table in C, for programs that write them (cli/new.c):
#
#	awk -f embed.awk FILE... > table.c

BEGIN {
	print "/* Made by scripts/embed.awk. */"
	print "#include \"cli/new_files.h\"\n"
	print "const struct cli_file cli_new_files[] = {"
}

FNR == 1 {
	if (NR > 1)
		print "\t},"
	name = FILENAME
	sub(/.*\//, "", name)
	printf "\t{ \"%s\",\n", name
}

{
	gsub(/\\/, "&&")
	gsub(/"/, "\\\"")
	gsub(/\t/, "\\t")
	printf "\t  \"%s\\n\"\n", $0
}

END {
	print "\t},\n\t{ NULL, NULL }\n};"
}
