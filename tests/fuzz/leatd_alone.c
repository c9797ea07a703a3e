// SPDX-License-Identifier: BSD-2-Clause
/* What requests meet in a test that has neither TLS nor a clock that goes: in the place of leatd's own. */
#include "tools/leatd/leatd.h"
#include "tools/leatd/tls.h"

int64_t leatd_now(void)
{
    return 1700000000;
}

void leatd_log(const char *format, ...)
{
    (void)format;
}

/* Whoever has a client's identity has its key. */
bool tls_is_key(const struct request *request, const char *key)
{
    return request && key;
}

void tls_write_keys(struct leatd *leatd)
{
    leatd->keys_changed = false;
}
