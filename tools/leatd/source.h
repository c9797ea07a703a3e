// SPDX-License-Identifier: BSD-2-Clause
/* Where an image version's bytes are: a file of the image folder, or a URI. */
#ifndef LEATD_SOURCE_H
#define LEATD_SOURCE_H

#include "tools/leatd/config.h"

/*
 * Is it one, and how large? *size 0 asks for the size that the file has (a qcow2 file's is in its header); a URI has to come
 * with one. Sizes are multiples of 512. False with the end of a sentence in why (CONFIG_ERROR_BYTES).
 */
bool source_check(const struct config *config, const char *source, const char *format,
                  int64_t *size, char *why);

bool source_is_uri(const char *source);

/* The absolute path of a source that is a file. */
void source_path(const struct config *config, const char *source, char *path, size_t bytes);

#endif
