// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/lag.h"

#include "tools/leatd/leatd.h"

int lag_settle(struct leatd *leatd, int64_t now, bool was_quiet, int most)
{
    if (leatd->lags_since && leatd->lags_since < (was_quiet ? now : now - 1))
        db_settle(leatd->db);
    if (was_quiet)
        db_rest(leatd->db);
    if (!db_lags(leatd->db))
        leatd->lags_since = 0;
    else if (!leatd->lags_since)
        leatd->lags_since = now;
    int its = leatd->lags_since && leatd->lags_since < now ? LAG_QUIET_MS : 1000;
    return leatd->lags_since && most > its ? its : most;
}
