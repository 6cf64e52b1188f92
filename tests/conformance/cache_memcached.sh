#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What any cache promises, of cache/memcached.so with a memcached of our own on
# a free port of the loopback; it is stopped and started again under way.
. "$(dirname "${BASH_SOURCE[0]}")/run.sh"

command -v memcached > /dev/null || { echo "1..0 # SKIP no memcached"; exit 0; }
port=$(python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
user=
[ "$(id -u)" -eq 0 ] && user="-u nobody"

# The commands the suite calls to take the service away and bring it back.
cat > "$folder/start" <<EOF
#!/bin/bash
memcached -l 127.0.0.1 -p $port -U 0 -m 64 $user \
    < /dev/null > /dev/null 2>&1 &
echo \$! > "$folder/pid"
for i in {1..100}; do
	(exec 3<> /dev/tcp/127.0.0.1/$port) 2> /dev/null && exit 0
	sleep 0.05
done
exit 1
EOF
cat > "$folder/stop" <<EOF
#!/bin/bash
pid=\$(cat "$folder/pid")
kill -KILL "\$pid" 2> /dev/null
for i in {1..100}; do
	kill -0 "\$pid" 2> /dev/null || exit 0
	sleep 0.05
done
exit 1
EOF
trap 'bash "$folder/stop"; rm -rf "$folder"' EXIT
bash "$folder/start" || { echo "Bail out! memcached does not start"; exit 1; }
export CLQ_TEST_STOP="bash $folder/stop" CLQ_TEST_START="bash $folder/start"
suite cache memcached "127.0.0.1:$port"
