// SPDX-License-Identifier: BSD-2-Clause
/* leatd: docs/server.md. */
#include "tools/leatd/auth.h"
#include "tools/leatd/care.h"
#include "tools/leatd/control.h"
#include "tools/leatd/http.h"
#include "tools/leatd/identity.h"
#include "tools/leatd/lag.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/schema.h"
#include "tools/leatd/password.h"
#include "tools/leatd/ready.h"
#include "tools/leatd/secret.h"
#include "tools/leatd/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static const char usage[] = "usage: leatd [--config FILE] [add-admin NAME]\n"
                            "  without a command: serves, until SIGTERM\n"
                            "  add-admin NAME     makes an administrator, or gives one a new "
                            "password (from standard input)\n"
                            "  --config FILE      (/etc/leat/leatd.conf)\n"
                            "  --version\n";

static _Noreturn void fail(const char *sentence)
{
    fprintf(stderr, "leatd: %s\n", sentence);
    exit(1);
}

static void make_folder(const char *path, mode_t mode)
{
    char sentence[CONFIG_PATH_BYTES + 100];
    if (!mkdir(path, mode) || errno == EEXIST)
        return;
    snprintf(sentence, sizeof sentence, "the folder %s cannot be made: %s", path, strerror(errno));
    fail(sentence);
}

/*
 * One leatd serves a state folder: a second would take the control socket away from the first, and each would give leases
 * that the other knows nothing of until it asks. The lock ends with the process, however that ends; the file stays.
 */
static int lock_folder(const struct config *config)
{
    char path[CONFIG_PATH_BYTES + 16], sentence[CONFIG_PATH_BYTES + 100];
    snprintf(path, sizeof path, "%s/leatd.lock", config->folder);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0 && !flock(file, LOCK_EX | LOCK_NB))
        return file; // kept open, and so locked, until the process ends
    if (file >= 0 && errno == EWOULDBLOCK)
        snprintf(sentence, sizeof sentence, "another leatd serves the folder %s", config->folder);
    else
        snprintf(sentence, sizeof sentence, "%s cannot be locked: %s", path, strerror(errno));
    fail(sentence);
}

// Files that root makes in another user's folder would stop the leatd that runs as that user: root becomes it.
static void become_owner(const char *folder)
{
    char sentence[CONFIG_ERROR_BYTES];
    struct stat about;
    if (geteuid() || stat(folder, &about) || !about.st_uid)
        return;
    if (!setgroups(0, NULL) && !setgid(about.st_gid) && !setuid(about.st_uid))
        return;
    snprintf(sentence, sizeof sentence, "the user who owns %.150s cannot be taken on: %s", folder,
             strerror(errno));
    fail(sentence);
}

static void open_database(struct leatd *leatd)
{
    char error[DB_ERROR_BYTES];
    make_folder(leatd->config.images, 0750);
    make_folder(leatd->config.differences, 0750);
    leatd->db = db_open(leatd->config.database, error);
    if (!leatd->db || !schema_prepare(leatd->db, error))
        fail(error);
}

static size_t read_password(char *password, size_t size)
{
    struct termios old, quiet;
    bool is_terminal = !tcgetattr(0, &old);
    if (is_terminal) {
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        fputs("Password: ", stderr);
        tcsetattr(0, TCSAFLUSH, &quiet);
    }
    bool got = fgets(password, (int)size, stdin);
    if (is_terminal) {
        tcsetattr(0, TCSAFLUSH, &old);
        fputc('\n', stderr);
    }
    if (!got)
        password[0] = 0;
    password[strcspn(password, "\n")] = 0;
    return strlen(password);
}

static int add_admin(struct leatd *leatd, const char *name)
{
    char password[PASSWORD_MOST + 2], error[DB_ERROR_BYTES];
    read_password(password, sizeof password);
    bool ok = auth_add_admin(leatd, name, password, error);
    secret_wipe(password, sizeof password);
    if (!ok)
        fprintf(stderr, "leatd: %s\n", error);
    db_close(leatd->db);
    return !ok;
}

static void serve(struct leatd *leatd, int signals)
{
    struct pollfd polls[CONTROL_POLLS + 1 + HTTP_FILES];
    bool was_quiet = false;
    for (;;) {
        int64_t left = leatd->next_tick - leatd_monotonic();
        int files[HTTP_FILES];
        if (left <= 0)
            care_tick(leatd);
        if (leatd->keys_changed && !tls_keys_wait(leatd, 1))
            tls_write_keys(leatd);
        http_files(leatd, files);
        polls[0] = (struct pollfd){.fd = signals, .events = POLLIN};
        for (unsigned i = 0; i < HTTP_FILES; i++)
            polls[1 + i] = (struct pollfd){.fd = files[i], .events = POLLIN};
        control_polls(leatd->control, polls + 1 + HTTP_FILES);
        int most = lag_settle(leatd, leatd_monotonic(), was_quiet,
                              tls_keys_wait(leatd, left > 0 ? (int)left * 1000 : 1000));
        int sleep_ms = http_timeout(leatd, most);
        was_quiet = !poll(polls, CONTROL_POLLS + 1 + HTTP_FILES, sleep_ms) && sleep_ms == most;
        if (polls[0].revents || leatd->is_ousted)
            return;
        http_run(leatd);
        control_serve(leatd->control, polls + 1 + HTTP_FILES);
        listen_take(leatd); // last: all who were there before have had their turn
    }
}

static int run(struct leatd *leatd, int lock)
{
    char error[CONFIG_ERROR_BYTES];
    sigset_t set;
    if (!identity_claim(leatd, lock, error))
        fail(error);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN); // a peer that has gone
    int signals = signalfd(-1, &set, SFD_CLOEXEC);
    secret_random(leatd->limit.key, sizeof leatd->limit.key);
    gnutls_hash_fast(GNUTLS_DIG_SHA256, TLS_ENROL_WORDS, strlen(TLS_ENROL_WORDS), leatd->enrol_key);
    care_tick(leatd); // what lived when leatd ended gets its time before anybody can ask
    leatd->control = control_open(leatd, error);
    if (!leatd->control || !http_open(leatd, error))
        fail(error);
    ready_tell();
    leatd_log("serving, version %s", LEATD_VERSION);
    serve(leatd, signals);
    http_close(leatd);
    control_close(leatd->control);
    identity_end(leatd);
    db_close(leatd->db);
    close(signals);
    leatd_log("ended");
    return leatd->is_ousted;
}

int main(int count, char **arguments)
{
    static struct leatd leatd = {.listen = {.file = -1}};
    const char *file = "/etc/leat/leatd.conf";
    char error[CONFIG_ERROR_BYTES];
    int at = 1;
    if (count == 2 && !strcmp(arguments[1], "--help"))
        return fputs(usage, stdout) < 0;
    if (count == 2 && !strcmp(arguments[1], "--version"))
        return puts(LEATD_VERSION) < 0;
    if (count > 2 && !strcmp(arguments[1], "--config")) {
        file = arguments[2];
        at = 3;
    }
    bool adds = count == at + 2 && !strcmp(arguments[at], "add-admin");
    if (!adds && count != at) {
        fputs(usage, stderr);
        return 2;
    }
    if (!config_read(&leatd.config, file, error))
        fail(error);
    make_folder(leatd.config.folder, 0700);
    become_owner(leatd.config.folder);
    int lock = adds ? -1 : lock_folder(&leatd.config);
    open_database(&leatd);
    return adds ? add_admin(&leatd, arguments[at + 1]) : run(&leatd, lock);
}
