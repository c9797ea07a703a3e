# SPDX-License-Identifier: BSD-2-Clause
# leatd's parts; tests/server runs test_leatd_db on PostgreSQL too.
foreach(test test_leatd_parts test_leatd_db test_leatd_care test_leatd_merge test_leatd_bootfiles
  test_leatd_lag test_leatd_listen test_leatd_work)
  leat_unit_test(${test} SOURCES unit/${test}.c LIBS leatd_host)
endforeach()
leat_unit_test(test_leatd_repeat SOURCES unit/test_leatd_repeat.c fuzz/leatd_alone.c LIBS leatd_host)
