# SPDX-License-Identifier: Apache-2.0
# data, svg: files. Columns: operation, requests/s of PostgreSQL and SQLite.
set terminal svg size 900,420 font "sans-serif,12" background "white"
set output svg
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set logscale y
set ylabel "requests/s through nginx"
set xtics rotate by -35
set grid ytics
set key top right
plot data using 2:xtic(1) title "PostgreSQL" linecolor rgb "#336791", \
     "" using 3 title "SQLite" linecolor rgb "#55aa55"
