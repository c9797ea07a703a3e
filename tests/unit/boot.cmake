# SPDX-License-Identifier: BSD-2-Clause
foreach(part netpath dhcp random)
  leat_unit_test(test_boot_${part} SOURCES unit/test_boot_${part}.c ${CMAKE_SOURCE_DIR}/boot/${part}.c)
endforeach()
