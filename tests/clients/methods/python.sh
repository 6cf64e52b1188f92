#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The Python client of PyPI in a virtual environment that git ignores: our
# cases, then the functional tests of its source package. Called by run.sh,
# with its environment. Without PyPI one case is skipped, and says why.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
top=$(cd "$here/../../.." && pwd -P)
folder=$top/build/kinto-python
wanted=$here/python/requirements.txt
version=$(sed -n 's/^kinto-http==//p' "$wanted")
suite=$folder/kinto_http-$version

pip() {
	"$folder/bin/pip" -q --disable-pip-version-check --retries 1 \
	    --timeout 15 "$@"
}

# The environment, anew if the list of packages changed.
prepare() {
	cmp -s "$wanted" "$folder/requirements.txt" && [ -d "$suite/tests" ] &&
	    [ -x "$folder/bin/python" ] && return 0
	rm -rf "$folder"
	mkdir -p "$folder"
	python3 -m venv "$folder" || return 1
	pip install -r "$wanted" || return 1
	pip download --no-deps --no-binary :all: -d "$folder" \
	    "kinto-http==$version" || return 1
	tar -C "$folder" -xzf "$suite.tar.gz" || return 1
	cp "$wanted" "$folder/requirements.txt"
}

if ! log=$(prepare 2>&1); then
	sed 's/^/# /' <<< "$log"
	echo "ok - python client # SKIP packages of PyPI cannot be installed"
	exit 0
fi
status=0
timeout 600 "$folder/bin/python" -B "$here/python/main.py" || status=1
if [ -z "${CLQ_UPSTREAM_URL:-}" ]; then
	echo "ok - upstream # SKIP no CLQ_UPSTREAM_URL"
	exit $status
fi
# Those of attachments need the plugin.
select=functional
curl -s "$CLQ_UPSTREAM_URL/" | grep -q '"attachments"' ||
    select="functional and not attachment"
cd "$suite" || exit 1
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here/python timeout 600 \
    "$folder/bin/python" -m pytest -q -s -p upstream -p no:cacheprovider \
    -o asyncio_default_fixture_loop_scope=function \
    -k "$select" tests/test_functional.py tests/test_functional_async.py |
    grep -E '^(ok|not ok|#|E )' || status=1
[ "${PIPESTATUS[0]}" -eq 0 ] || status=1
exit $status
