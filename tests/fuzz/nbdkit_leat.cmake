# SPDX-License-Identifier: BSD-2-Clause
# What nbdkit's plugin reads: difference files, leatd's answers, export names.
set(nbdkit_leat ${CMAKE_SOURCE_DIR}/tools/nbdkit-leat)
leat_fuzzer(fuzz_difference fuzz/fuzz_difference.c ${nbdkit_leat}/difference.c ${nbdkit_leat}/diff_data.c
  ${nbdkit_leat}/diff_map.c ${nbdkit_leat}/diff_format.c ${nbdkit_leat}/ranges.c ${CMAKE_SOURCE_DIR}/vdisk/store/crc32c.c)
set(LEAT_FUZZER_FLAGS -lcjson)
leat_fuzzer(fuzz_grant fuzz/fuzz_grant.c ${nbdkit_leat}/grant.c ${nbdkit_leat}/qcow2.c)
unset(LEAT_FUZZER_FLAGS)
# The requests themselves, on files.
set(LEAT_FUZZER_FLAGS -D_GNU_SOURCE -lcjson -lnbd)
get_target_property(nbdkit_leat_sources nbdkit_leat_host SOURCES)
list(FILTER nbdkit_leat_sources EXCLUDE REGEX "crc32c")
list(TRANSFORM nbdkit_leat_sources PREPEND ${nbdkit_leat}/)
leat_fuzzer(fuzz_plugin fuzz/fuzz_plugin.c ${nbdkit_leat}/plugin_io.c ${nbdkit_leat_sources}
  ${CMAKE_SOURCE_DIR}/vdisk/store/crc32c.c)
unset(LEAT_FUZZER_FLAGS)
