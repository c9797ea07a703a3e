# SPDX-License-Identifier: BSD-2-Clause
set(fuzz_leatd_sources check json limit secret source startfile db db_sqlite db_postgresql schema journal request record
  statement object objects logs complete complete_admin complete_version tree auth api manage merge profile session revive
  greeting hello enrol offer start lease
  busy lies servers identity care control_answer online digest page upload upload_file brought work probe clean)
list(TRANSFORM fuzz_leatd_sources PREPEND ${CMAKE_SOURCE_DIR}/tools/leatd/)
list(TRANSFORM fuzz_leatd_sources APPEND .c)
list(APPEND fuzz_leatd_sources ${CMAKE_SOURCE_DIR}/vdisk/profile/profile.c ${CMAKE_SOURCE_DIR}/vdisk/profile/file.c
  ${CMAKE_SOURCE_DIR}/vdisk/profile/blockset.c ${CMAKE_SOURCE_DIR}/vdisk/verity/verity.c)
# clang takes the libraries as some of its sources.
foreach(library gnutls cjson sqlite3 pq)
  find_library(LEAT_LIB_${library} ${library} REQUIRED)
  list(APPEND fuzz_leatd_sources ${LEAT_LIB_${library}})
endforeach()
list(TRANSFORM LEATD_INCLUDE_DIRS PREPEND -I OUTPUT_VARIABLE LEAT_FUZZER_FLAGS)
list(APPEND LEAT_FUZZER_FLAGS -D_GNU_SOURCE)
leat_fuzzer(fuzz_leatd fuzz/fuzz_leatd.c fuzz/leatd_world.c fuzz/leatd_alone.c ${fuzz_leatd_sources})
# The same, from libmicrohttpd's side.
find_library(LEAT_LIB_microhttpd microhttpd REQUIRED)
list(APPEND LEAT_FUZZER_FLAGS -Wl,--wrap=MHD_get_connection_info -Wl,--wrap=work_begin)
leat_fuzzer(fuzz_http fuzz/fuzz_http.c fuzz/leatd_world.c fuzz/leatd_alone.c ${fuzz_leatd_sources}
  ${CMAKE_SOURCE_DIR}/tools/leatd/exchange.c
  ${CMAKE_SOURCE_DIR}/tools/leatd/peer.c ${CMAKE_SOURCE_DIR}/tools/leatd/reply.c ${CMAKE_SOURCE_DIR}/tools/leatd/web.c
  ${LEAT_LIB_microhttpd})
unset(LEAT_FUZZER_FLAGS)
