# SPDX-License-Identifier: BSD-2-Clause
leat_fuzzer(fuzz_verity fuzz/fuzz_verity.c ${CMAKE_SOURCE_DIR}/vdisk/verity/verity.c)
