// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the server keeps for its clients: for each a layer over the image, which takes whole clusters, the
 * rest of one as the image has it. It tells in which layer a sector lies.
 */
#include <stdlib.h>

#include "tests/sim/sim.h"

#define CLUSTER 16u /* sectors: two blocks */
#define NONE UINT64_MAX
#define FIRST_TAG (1ull << 40) /* of what a layer holds from the start; guests count from 1 */

static uint64_t *current[SIM_CLIENTS], *durable[SIM_CLIENTS], sectors;
static unsigned clients;

void sim_clients_init(unsigned count, uint64_t sector_count)
{
    clients = count;
    sectors = sector_count;
    for (unsigned c = 0; c < clients; c++) {
        current[c] = malloc(sectors * 8);
        durable[c] = malloc(sectors * 8);
        for (uint64_t s = 0; s < sectors; s++)
            current[c][s] = durable[c][s] = NONE;
    }
}

void sim_clients_end(void)
{
    for (unsigned c = 0; c < clients; c++) {
        free(current[c]);
        free(durable[c]);
    }
    clients = 0;
}

void sim_client_fill(unsigned c, struct sim_model *model)
{
    for (uint64_t runs = sim_random() % 8; runs; runs--) {
        uint64_t first = sim_random() % sectors, count = 1 + sim_random() % 100;
        uint64_t tag = sim_random() % 4 ? FIRST_TAG + runs : 0;
        count = count < sectors - first ? count : sectors - first;
        sim_model_written(model, sim_model_write(model, first, count, tag, false), true, true);
        for (uint64_t s = first; s < first + count; s++)
            sim_client_write(c, s, tag, true);
    }
    sim_client_flush(c);
}

bool sim_client_holds(unsigned c, uint64_t sector)
{
    return current[c][sector] != NONE;
}

uint64_t sim_client_tag(unsigned c, uint64_t sector)
{
    return sim_client_holds(c, sector) ? current[c][sector] : sim_server_tag(sector);
}

void sim_client_write(unsigned c, uint64_t sector, uint64_t tag, bool is_durable)
{
    uint64_t first = sector - sector % CLUSTER;
    for (uint64_t s = first; s < first + CLUSTER && s < sectors; s++)
        current[c][s] = sim_client_tag(c, s);
    current[c][sector] = tag;
    if (is_durable)
        durable[c][sector] = tag;
}

void sim_client_flush(unsigned c)
{
    for (uint64_t s = 0; s < sectors; s++)
        durable[c][s] = current[c][s];
}

void sim_clients_crash(void)
{
    for (unsigned c = 0; c < clients; c++)
        for (uint64_t s = 0; s < sectors; s++) {
            if (current[c][s] != durable[c][s] && sim_random() % 2)
                durable[c][s] = current[c][s];
            current[c][s] = durable[c][s];
        }
}
