// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/choice.h"

#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "services/supervisor/offer.h"
#include "services/supervisor/screen.h"
#include "services/supervisor/timeline.h"

static struct {
    struct process *client; /* NULL: nobody has offered anything */
    struct offer offer;
    char chosen[sizeof(((struct leat_client_entry *)0)->name)]; /* empty: nothing yet */
} choice;

static void tell(unsigned number)
{
    const struct offer *offer = &choice.offer;

    if (offer->choices != 0) {
        const struct leat_client_entry *entry = &offer->given.entries[offer->choice[number]];
        const char *lines[] = {offer->label[number]};

        snprintf(choice.chosen, sizeof(choice.chosen), "%s", entry->name);
        screen_notice("Leat starts", lines, 1, 0);
    } else {
        screen_close();
    }
    process_send_text(choice.client, LEAT_CTL_CHOOSE, "", offer_chosen(offer, number), 0);
}

static void on_chosen(void *context, unsigned number, bool by_timeout)
{
    (void)context;
    timeline_mark("chosen");
    leat_log("'%s' is started, as chosen %s", choice.offer.label[number],
             by_timeout ? "for nobody did" : "in the menu");
    tell(number);
}

void choice_offer(struct process *client, const volatile struct leat_client_offer *shared)
{
    struct offer *offer = &choice.offer;
    const char *why = offer_take(offer, shared);
    int before;

    choice.client = client;
    if (why != NULL) {
        leat_log("the server's offer cannot be used: %s", why);
        return;
    }
    before = offer_find(offer, choice.chosen);
    if (offer->choices <= 1) {
        tell(0);
    } else if (before >= 0) {
        tell((unsigned)before);
    } else {
        screen_menu("What is this machine to start?", offer->label, offer->choices,
                    offer->chosen_first, offer->given.timeout_s, on_chosen, NULL);
    }
}

const char *choice_name(void)
{
    return choice.chosen;
}

void choice_undo(void)
{
    choice.chosen[0] = '\0';
}

void choice_forget(void)
{
    if (choice.client != NULL) {
        choice.client = NULL;
        screen_close();
    }
}
