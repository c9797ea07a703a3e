// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/grant.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SECTOR 512u
#define SIZE_MAX_BYTES (1ull << 46)
#define RENEW_MAX 3600

static bool only(const char *text, const char *allowed)
{
    return *text && !text[strspn(text, allowed)];
}

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

bool grant_is_token(const char *name)
{
    return strnlen(name, GRANT_TOKEN) < GRANT_TOKEN && !strncmp(name, "x.", 2) &&
           only(name + 2, LETTERS DIGITS "-_");
}

static size_t fits(int length)
{
    return length > 0 && length < (int)GRANT_LINE ? (size_t)length : 0;
}

size_t grant_ask_open(char line[GRANT_LINE], const char *token, const char *peer, bool read_only)
{
    if (!grant_is_token(token) || (*peer && !only(peer, LETTERS DIGITS ".:%")))
        return 0;
    return fits(
        snprintf(line, GRANT_LINE,
                 "{\"op\": \"open\", \"token\": \"%s\", \"peer\": \"%s\", \"read_only\": %s}\n",
                 token, peer, read_only ? "true" : "false"));
}

size_t grant_ask_renew(char line[GRANT_LINE], const char *lease, uint64_t read, uint64_t written,
                       bool made)
{
    return fits(snprintf(line, GRANT_LINE,
                         "{\"op\": \"renew\", \"lease\": \"%s\", \"read\": %" PRIu64
                         ", \"written\": %" PRIu64 "%s}\n",
                         lease, read, written, made ? ", \"made\": true" : ""));
}

size_t grant_ask_close(char line[GRANT_LINE], const char *lease)
{
    return fits(snprintf(line, GRANT_LINE, "{\"op\": \"close\", \"lease\": \"%s\"}\n", lease));
}

/* A text that is there, not too long and printable. */
static bool take_text(const cJSON *object, const char *name, char *to, size_t room)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsString(item) || strlen(item->valuestring) >= room)
        return false;
    for (const char *c = item->valuestring; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            return false;
    strcpy(to, item->valuestring);
    return true;
}

static bool has(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return item && !cJSON_IsNull(item);
}

/* cJSON's numbers are doubles: whole ones up to 2^53 are exact. */
static bool take_number(const cJSON *object, const char *name, double most, int64_t *to)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= most))
        return false;
    *to = (int64_t)item->valuedouble;
    return true;
}

static enum grant_answer nonsense(struct grant_refusal *refusal, const char *field)
{
    memset(refusal, 0, sizeof *refusal);
    snprintf(refusal->sentence, sizeof refusal->sentence,
             "leatd's answer is not as docs/server.md has it: %s; are both of one version?", field);
    return GRANT_NONSENSE;
}

/* The object in a line; NULL with the answer when it is a refusal or nothing that can be used. */
static cJSON *parse(const char *line, struct grant_refusal *refusal, enum grant_answer *answer)
{
    memset(refusal, 0, sizeof *refusal);
    cJSON *object = cJSON_Parse(line);
    if (cJSON_IsObject(object) && !has(object, "error"))
        return object;
    *answer = GRANT_REFUSED;
    if (!cJSON_IsObject(object) ||
        !take_text(object, "reason", refusal->reason, sizeof refusal->reason))
        *answer = nonsense(refusal, "no JSON object, or an error without a reason");
    else if (!take_text(object, "error", refusal->sentence, sizeof refusal->sentence))
        snprintf(refusal->sentence, sizeof refusal->sentence, "refused by leatd");
    if (*answer == GRANT_REFUSED)
        take_text(object, "holder", refusal->holder, sizeof refusal->holder);
    cJSON_Delete(object);
    return NULL;
}

static const char *take_image(const cJSON *object, struct grant *g)
{
    char format[16] = "raw";
    if (has(object, "path") && has(object, "uri"))
        return "path and uri";
    g->is_uri = has(object, "uri");
    if (has(object, "path") &&
        (!take_text(object, "path", g->image, sizeof g->image) || g->image[0] != '/'))
        return "path";
    if (g->is_uri && !take_text(object, "uri", g->image, sizeof g->image))
        return "uri";
    if (has(object, "format") && !take_text(object, "format", format, sizeof format))
        return "format";
    g->format = strcmp(format, "qcow2") ? GRANT_RAW : GRANT_QCOW2;
    return g->format == GRANT_RAW && strcmp(format, "raw") ? "format" : NULL;
}

static const char *take_difference(const cJSON *object, struct grant *g)
{
    char mode[16];
    const cJSON *read_only = cJSON_GetObjectItemCaseSensitive(object, "read_only");
    const cJSON *new = cJSON_GetObjectItemCaseSensitive(object, "new");
    if (!cJSON_IsBool(read_only))
        return "read_only";
    g->read_only = cJSON_IsTrue(read_only);
    if (has(object, "difference") &&
        (!take_text(object, "difference", g->difference, sizeof g->difference) ||
         g->difference[0] != '/'))
        return "difference";
    if (new && !cJSON_IsBool(new))
        return "new";
    g->is_new = cJSON_IsTrue(new);
    if (!take_text(object, "mode", mode, sizeof mode))
        return "mode";
    if (!g->difference[0])
        g->mode = GRANT_SHARED;
    else
        g->mode = strcmp(mode, "server") ? GRANT_PRIVATE : GRANT_SERVER;
    return !g->difference[0] && !g->read_only ? "writable without a difference" : NULL;
}

static bool take_away(const cJSON *object, bool *pauses)
{
    char away[16] = "hold";
    if (has(object, "away") && !take_text(object, "away", away, sizeof away))
        return false;
    *pauses = !strcmp(away, "pause");
    return *pauses || !strcmp(away, "hold");
}

static const char *take_all(const cJSON *object, struct grant *g)
{
    int64_t size, renew;
    if (!take_text(object, "lease", g->lease, sizeof g->lease) ||
        !only(g->lease, LETTERS DIGITS "-_.:"))
        return "lease";
    if (!take_text(object, "client", g->client, sizeof g->client))
        return "client";
    if (!take_text(object, "disk", g->disk, sizeof g->disk))
        return "disk";
    if (!take_number(object, "size", (double)SIZE_MAX_BYTES, &size) || !size || size % SECTOR)
        return "size";
    if (!take_number(object, "expires", 1e15, &g->expires))
        return "expires";
    if (!take_number(object, "renew", RENEW_MAX, &renew) || !renew)
        return "renew";
    if (!take_away(object, &g->pauses))
        return "away";
    g->size = (uint64_t)size;
    g->renew = (unsigned)renew;
    const char *wrong = take_image(object, g);
    return wrong ? wrong : take_difference(object, g);
}

enum grant_answer grant_read(const char *line, struct grant *grant, struct grant_refusal *refusal)
{
    enum grant_answer answer = GRANT_GIVEN;
    memset(grant, 0, sizeof *grant);
    cJSON *object = parse(line, refusal, &answer);
    if (!object)
        return answer;
    const char *wrong = take_all(object, grant);
    if (wrong)
        answer = nonsense(refusal, wrong);
    cJSON_Delete(object);
    return answer;
}

enum grant_answer grant_read_renewed(const char *line, int64_t *expires, bool *pauses,
                                     struct grant_refusal *refusal)
{
    enum grant_answer answer = GRANT_GIVEN;
    cJSON *object = parse(line, refusal, &answer);
    if (!object)
        return answer;
    if (expires && !take_number(object, "expires", 1e15, expires))
        answer = nonsense(refusal, "expires");
    else if (pauses && !take_away(object, pauses))
        answer = nonsense(refusal, "away");
    cJSON_Delete(object);
    return answer;
}
