# SPDX-License-Identifier: Apache-2.0
#
# The first page of `make html`: each page with what its NAME section says.
BEGIN {
	print "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	print "<title>cliquet: manual</title>"
	print "<link rel=\"stylesheet\" href=\"manual.css\"></head><body>"
	print "<h1>cliquet: manual</h1>\n<dl>"
}
/^\.Nd / {
	page = FILENAME
	sub(/.*\//, "", page)
	printf "<dt><a href=\"%s.html\">%s</a></dt><dd>%s</dd>\n", page, page,
	    substr($0, 5)
}
END { print "</dl></body></html>" }
