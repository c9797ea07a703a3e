// SPDX-License-Identifier: BSD-2-Clause
/*
 * The process `client`, which speaks with leatd (docs/client.md): started, watched, started again; and what it says
 * (include/leat/client.h). Of what it lays into the area all is copied once and checked.
 */
#ifndef SUPERVISOR_CLIENT_H
#define SUPERVISOR_CLIENT_H

#include <leat/client.h>
#include "lib/config/config.h"
#include "services/supervisor/process.h"

/* The server's sections have come: size bytes, good until the call returns. NULL, or why they cannot be used, for
   people. Called until it has returned NULL once. */
typedef const char *(*client_configured_fn)(const char *given, size_t size);

/* net runs already. config must stay; its key is copied. Logs, and shows, what is missing. */
void client_start(const struct leat_config *config, client_configured_fn configured);

/* Shown before all views, and logged. */
void client_notice(const char *title, const char *text);

/* The machine is about to stop: the process says bye and ends, at which prompt_stop_goes_on() is called. False: it does not
   run. */
bool client_stop(void);

/* Ends the process, so that it is started again. False: it does not run. */
bool client_restart(void);

/* net has let go of a channel: true if it was the client's. */
bool client_detached(const struct process *net, uint64_t cookie);
/* net or the console is dead. */
void client_forget(const struct process *service);

/* -- for profiles.c -- */

/* NULL: it does not run, or has not given its configuration yet. */
struct process *client_process(void);
struct leat_client_area *client_area(void);

#endif
