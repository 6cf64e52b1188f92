#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# etc/nginx.conf in front of a cliquetd of its own.

sendfile=x-accel-redirect
. "$(dirname "${BASH_SOURCE[0]}")/webserver.sh"
skip_unless nginx

start_cliquetd
start_nginx
await "$port" "$server"
suite
suite_files 40000000
ask /v1/buckets/web/collections/c/records/f/attachment -u alice:secret \
    -H 'Content-Type: multipart/form-data; boundary=x' \
    -H 'Content-Length: 2000000000' -d x
is "a file far too large: 413" "$code $(json 'j["errno"]')" "413 113"
ask /v1/buckets%00
is "a path nginx cannot read: 400" "$code $(json 'j["errno"]')" "400 107"
is "which may be read by scripts" "$(header access-control-allow-origin)" "*"
ask /v1/ -H 'Transfer-Encoding: nonsense'
is "nor this" "$code $(json 'j["errno"]')" "400 107"
suite_down
is "503 says when to come back" "$(header retry-after)" 3
is "503 may be read by scripts" "$(header access-control-allow-origin)" "*"
suite_up "$server"
end
