// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/control.h"

#include "tools/leatd/care.h"
#include "tools/leatd/json.h"
#include "tools/leatd/lease.h"
#include "tools/leatd/leatd.h"

#include <stdlib.h>
#include <string.h>

typedef enum db_result (*operation)(struct leatd *leatd, const cJSON *request, cJSON *answer);

struct job {
    struct leatd *leatd;
    operation run;
    const cJSON *request;
    cJSON *answer;
};

static operation find(const char *name)
{
    static const struct {
        const char *name;
        operation run;
    } operations[] = {{"open", lease_open}, {"renew", lease_renew}, {"close", lease_close}};
    for (unsigned i = 0; name && i < sizeof operations / sizeof operations[0]; i++)
        if (!strcmp(operations[i].name, name))
            return operations[i].run;
    return NULL;
}

static enum db_result body(void *context)
{
    struct job *job = context;
    cJSON_Delete(job->answer); // of a try that has to be repeated
    job->answer = cJSON_CreateObject();
    return job->run(job->leatd, job->request, job->answer);
}

static cJSON *refusal(const char *reason, const char *sentence)
{
    cJSON *answer = cJSON_CreateObject();
    cJSON_AddStringToObject(answer, "error", sentence);
    cJSON_AddStringToObject(answer, "reason", reason);
    return answer;
}

static cJSON *answer_to(struct leatd *leatd, const cJSON *request)
{
    struct job job = {.leatd = leatd, .request = request, .run = find(json_text(request, "op"))};
    if (!job.run)
        return refusal(CONTROL_REASON_REQUEST, "op has to be open, renew or close");
    if (care_transact(leatd, body, &job) == DB_OK)
        return job.answer;
    cJSON_Delete(job.answer);
    leatd_log("control: %s", db_error(leatd->db));
    return refusal(CONTROL_REASON_LATER, "the database cannot be used now");
}

char *control_answer(struct leatd *leatd, const char *line, size_t size)
{
    const char *why;
    cJSON *request = json_parse(line, size, &why);
    if (!request) {
        leatd_log("control: %s", why);
        return NULL;
    }
    cJSON *answer = answer_to(leatd, request);
    cJSON_Delete(request);
    char *text = cJSON_PrintUnformatted(answer);
    cJSON_Delete(answer);
    size_t length = text ? strlen(text) : 0;
    char *out = text ? realloc(text, length + 2) : NULL;
    if (!out) {
        free(text);
        return NULL;
    }
    memcpy(out + length, "\n", 2);
    return out;
}
