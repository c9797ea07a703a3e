// SPDX-License-Identifier: BSD-2-Clause
/* Tells who has started leatd that it serves now: systemd's readiness protocol, sd_notify(3). */
#ifndef LEATD_READY_H
#define LEATD_READY_H

/* "READY=1" to the socket of $NOTIFY_SOCKET, if there is one; never waits. Whether that was heard is systemd's matter. */
void ready_tell(void);

#endif
