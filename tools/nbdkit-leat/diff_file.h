// SPDX-License-Identifier: BSD-2-Clause
/* A file as the device of a difference. Nobody else can have it open for writing meanwhile (F_OFD_SETLK). */
#ifndef NBDKIT_LEAT_DIFF_FILE_H
#define NBDKIT_LEAT_DIFF_FILE_H

#include "tools/nbdkit-leat/difference.h"

struct diff_file {
    int fd;
};

/* An existing one. -EBUSY: somebody writes it; the reason is in error. */
int diff_file_open(struct diff_file *file, const char *path, bool writable, char error[DIFF_ERROR]);
/* Makes an empty difference under that name, which holds none yet or, with reset, one whose content is
   dropped; under the name is the old or the new one, whole, at any time. Its id is random. The file is open
   for writing. -EEXIST: there is one. */
int diff_file_create(struct diff_file *file, const char *path, bool reset, const char *image,
                     uint64_t image_size, uint32_t block_size, char error[DIFF_ERROR]);
struct diff_device diff_file_device(struct diff_file *file);
void diff_file_close(struct diff_file *file);

#endif
