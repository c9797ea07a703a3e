// SPDX-License-Identifier: BSD-2-Clause
#include <stdlib.h>

#include "lib/log.h"
#include "lib/start.h"
#include "lib/sys.h"

int main(void);
void leat_newlib_init(void);
_Noreturn void leat_crt_main(const struct leat_start *start);

void leat_crt_main(const struct leat_start *start)
{
    if (start->magic != LEAT_START_MAGIC) {
        leat_domain_kill(LEAT_SELF, LEAT_EINVAL);
    }
    leat_newlib_init();
    leat_log_init();
    exit(main());
}
