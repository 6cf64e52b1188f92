#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The toolkit's interface, with an application that has one of each thing.
. "$(dirname "$0")/lib.sh"
compile_app toolkit
# The same in C++, if there is a compiler.
if [ "${CXX:-c++}" != : ] && command -v "${CXX:-c++}" > /dev/null; then
	# shellcheck disable=SC2046
	${CXX:-c++} -std=c++17 -Wall -Wextra -Wno-missing-field-initializers \
	    -Werror -fPIC -shared -fvisibility=hidden \
	    -I"$src/core/include" $(pkg-config --cflags libcjson) \
	    -o "$apps/plus.so.$$" "$src/tests/apps/plus.cc" &&
	    mv "$apps/plus.so.$$" "$apps/plus.so" ||
	    { echo "Bail out! tests/apps/plus.cc does not compile"; exit 99; }
	export CLQ_TEST_PLUS=$apps/plus.so
fi
export CLQ_TEST_TOOLKIT=$apps/toolkit.so
python toolkit
