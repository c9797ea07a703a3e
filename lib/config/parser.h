// SPDX-License-Identifier: BSD-2-Clause
/*
 * Inside lib/config only: what the reader (lines), the keys and the final check share.
 */
#ifndef LIB_CONFIG_PARSER_H
#define LIB_CONFIG_PARSER_H

#include "lib/config/config.h"

/* Longest line: "cmdline = " and a whole command line. */
#define CONFIG_LINE_BYTES (LEAT_CONFIG_CMDLINE + 64u)

/* The key of the line that the reader puts behind every section header, so that inih, which reports
   keys only, also reports a section. No user's line can hold this byte: the reader refuses it. */
#define CONFIG_SECTION_OPENED "\001"

enum config_section {
    CONFIG_NONE,
    CONFIG_LEATD,
    CONFIG_SERVER,
    CONFIG_NET,
    CONFIG_CACHE,
    CONFIG_STORE,
    CONFIG_CONSOLE,
    CONFIG_MACHINE,
    CONFIG_DISK,
    CONFIG_VM,
    CONFIG_TENANT,
};

struct config_parser {
    const char *text;
    size_t size, position;
    size_t server_from;  /* what stands there and behind it is from the server */
    bool is_from_server; /* the line is */
    unsigned line;       /* the one last handed to inih */
    bool section_line;   /* that line is a section header */
    bool failed;         /* *error is filled */
    enum config_section section;
    uint32_t sections_seen; /* bit per enum config_section */
    uint64_t keys_seen;     /* of the current section, bit per row of its table of keys */
    unsigned net_line;
    unsigned own_line; /* of the first section of leat.conf that a server would give; 0: none */
    struct leat_config *config;
    struct leat_config_disk *disk; /* the current section's */
    struct leat_config_vm *vm;
    struct leat_config_tenant *tenant;
    struct leat_config_error *error;
};

/* Fills *error with "leat.conf line N: [section] key = value: reason"; parts that are NULL or 0 are
   left out. The first error stays. Returns 0, which tells inih to stop. */
int config_fail(struct config_parser *parser, unsigned line, const char *section, const char *key,
                const char *value, const char *reason);

/* inih's callbacks: the next line of the text; one key. */
char *config_read_line(char *line, int size, void *parser);
int config_take_key(void *parser, const char *section, const char *key, const char *value);

/* -- keys_machine.c, keys_disk.c, keys_vm.c: what may stand where -- */
struct config_key {
    enum config_section section;
    const char *key;
    /* Takes one value. Returns NULL, or the reason why not. */
    const char *(*take)(struct config_parser *parser, const char *value);
};
/* A section's keys are all in one of these tables: keys_seen counts the rows of that one. */
struct config_keys {
    const struct config_key *rows;
    size_t count;
};
extern const struct config_keys config_machine_keys, config_disk_keys, config_vm_keys;

/* Defines one of them, from an array. */
#define CONFIG_KEYS(name, array)                                                                   \
    _Static_assert(sizeof(array) / sizeof((array)[0]) <=                                           \
                       8 * sizeof(((struct config_parser *)0)->keys_seen),                         \
                   "keys_seen has a bit for each key");                                            \
    const struct config_keys name = {array, sizeof(array) / sizeof((array)[0])}

/* -- tls.c: keys that begin with "tls"; their values are never shown -- */
bool config_is_tls_key(const char *key);
/* One that was meant to be a pre-shared key: "psk", "tsl_psk". */
bool config_may_be_secret(const char *key);
/* As config_take_key, in a section SERVER or DISK. */
int config_take_tls(struct config_parser *parser, const char *section, const char *key,
                    const char *value);
bool config_check_tls(struct config_parser *parser);

/* -- leatd.c: [leatd] -- */
int config_take_leatd(struct config_parser *parser, const char *section, const char *key,
                      const char *value);
bool config_check_leatd(struct config_parser *parser);

/* A pre-shared key, "NAME:HEX"; up to `most` servers, "HOST[:PORT], ...", `to` of LEAT_CONFIG_FALLBACK bytes. Each NULL, or
   the reason. */
const char *config_take_psk(const char *value, char *out, size_t size);
const char *config_take_servers(const char *value, unsigned most, const char *too_many, char *to);

/* After the last line: defaults that come from elsewhere, and what must fit together. False: failed. */
bool config_check(struct config_parser *parser);

#endif
