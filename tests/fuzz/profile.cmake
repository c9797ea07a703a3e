# SPDX-License-Identifier: BSD-2-Clause
set(profile_sources profile file blockset)
list(TRANSFORM profile_sources PREPEND ${CMAKE_SOURCE_DIR}/vdisk/profile/)
list(TRANSFORM profile_sources APPEND .c)
leat_fuzzer(fuzz_profile fuzz/fuzz_profile.c ${profile_sources})
