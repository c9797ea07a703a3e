# SPDX-License-Identifier: BSD-2-Clause
set(panel_sources ansi label line page panel terminal)
list(TRANSFORM panel_sources PREPEND ${CMAKE_SOURCE_DIR}/services/console/)
list(APPEND panel_sources ${CMAKE_SOURCE_DIR}/drivers/input/keymap ${CMAKE_SOURCE_DIR}/drivers/input/scancode)
list(TRANSFORM panel_sources APPEND .c)
leat_fuzzer(fuzz_panel fuzz/fuzz_panel.c ${panel_sources})
