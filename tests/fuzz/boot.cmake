# SPDX-License-Identifier: BSD-2-Clause
leat_fuzzer(fuzz_netboot fuzz/fuzz_netboot.c ${CMAKE_SOURCE_DIR}/boot/netpath.c ${CMAKE_SOURCE_DIR}/boot/dhcp.c)
