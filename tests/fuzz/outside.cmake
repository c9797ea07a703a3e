# SPDX-License-Identifier: BSD-2-Clause
leat_fuzzer(fuzz_verity fuzz/fuzz_verity.c ${CMAKE_SOURCE_DIR}/vdisk/verity/verity.c)
leat_fuzzer(fuzz_holes fuzz/fuzz_holes.c ${CMAKE_SOURCE_DIR}/vdisk/nbd/command.c ${CMAKE_SOURCE_DIR}/vdisk/extents.c
  ${CMAKE_SOURCE_DIR}/vdisk/extents_file.c ${CMAKE_SOURCE_DIR}/vdisk/blockmap.c)
# clang takes the library as one of its sources.
find_library(LEAT_MBEDTLS mbedtls REQUIRED)
find_library(LEAT_MBEDX509 mbedx509 REQUIRED)
find_library(LEAT_MBEDCRYPTO mbedcrypto REQUIRED)
leat_fuzzer(fuzz_tls_keys fuzz/fuzz_tls_keys.c ${CMAKE_SOURCE_DIR}/vdisk/tls/keys.c ${LEAT_MBEDTLS} ${LEAT_MBEDX509}
  ${LEAT_MBEDCRYPTO})
