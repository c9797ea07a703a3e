# SPDX-License-Identifier: BSD-2-Clause
set(config_sources value reader config keys keys_machine keys_disk keys_vm leatd tls check)
list(TRANSFORM config_sources PREPEND ${CMAKE_SOURCE_DIR}/lib/config/)
list(TRANSFORM config_sources APPEND .c)
leat_fuzzer(fuzz_config fuzz/fuzz_config.c ${CMAKE_SOURCE_DIR}/lib/text.c ${config_sources} ${INIH_LIBRARY})
