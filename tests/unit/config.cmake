# SPDX-License-Identifier: BSD-2-Clause
foreach(what config config_disks config_leatd)
  leat_unit_test(test_${what} SOURCES unit/test_${what}.c unit/config_fixture.c LIBS config_host)
endforeach()
