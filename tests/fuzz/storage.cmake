# SPDX-License-Identifier: BSD-2-Clause
leat_fuzzer(fuzz_gpt fuzz/fuzz_gpt.c ${CMAKE_SOURCE_DIR}/services/storage/gpt.c)
