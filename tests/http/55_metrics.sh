#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Metrics for Prometheus and StatsD: what is counted, by several workers that
# die, are recycled and reloaded; StatsD servers that are not there.
. "$(dirname "$0")/lib.sh"
compile_app metrics
compile_app slow_dns
export CLQ_TEST_METRICS=$apps/metrics.so CLQ_TEST_DNS=$apps/slow_dns.so
python metrics
