# SPDX-License-Identifier: BSD-2-Clause
# Hash trees: the format against Debian's veritysetup.
leat_unit_test(test_verity SOURCES unit/test_verity.c ${CMAKE_SOURCE_DIR}/vdisk/tls/sha256.c
  LIBS vdisk_engine_host mbedcrypto)
target_compile_definitions(test_verity PRIVATE _GNU_SOURCE)
