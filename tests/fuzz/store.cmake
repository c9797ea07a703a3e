# SPDX-License-Identifier: BSD-2-Clause
list(TRANSFORM VDISK_STORE_SOURCES PREPEND ${CMAKE_SOURCE_DIR}/vdisk/ OUTPUT_VARIABLE store_sources)
leat_fuzzer(fuzz_store fuzz/fuzz_store.c ${store_sources})
