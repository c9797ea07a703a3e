# SPDX-License-Identifier: BSD-2-Clause
set(client_sources client start session files profile sections answer value exchange http)
list(TRANSFORM client_sources PREPEND ${CMAKE_SOURCE_DIR}/client/)
list(TRANSFORM client_sources APPEND .c)
set(LEAT_FUZZER_FLAGS -I${CJSON_DIR} -DCJSON_NESTING_LIMIT=8 -D_GNU_SOURCE)
leat_fuzzer(fuzz_client fuzz/fuzz_client.c ${CMAKE_SOURCE_DIR}/lib/text.c ${client_sources} ${CJSON_DIR}/cJSON.c)
unset(LEAT_FUZZER_FLAGS)
