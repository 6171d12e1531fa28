#define _POSIX_C_SOURCE 200809L
#include "program.h"

#include "log.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool is_program(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
           access(path, X_OK) == 0;
}

/* Absolute, since the process runs elsewhere; links stay what they are, since
 * some programs look at their own name. */
static char *absolute(const char *path)
{
    struct buf text = {0};
    char *result;

    if (path[0] != '/') {
        char *directory = allocate(PATH_MAX);

        buf_format(&text, "%s/",
                   getcwd(directory, PATH_MAX) == NULL ? "" : directory);
        free(directory);
        while (strncmp(path, "./", 2) == 0) {
            path += 2 + strspn(path + 2, "/");
        }
    }
    buf_text(&text, path);
    result = slice_copy(buf_slice(&text));
    buf_free(&text);
    return result;
}

static char *find_in_path(const char *name)
{
    const char *path = getenv("PATH");
    char *found = NULL;

    while (path != NULL && *path != '\0' && found == NULL) {
        size_t size = strcspn(path, ":");
        struct buf candidate = {0};

        buf_format(&candidate, "%.*s/%s%c", (int)size, path, name, 0);
        if (size > 0 && is_program((char *)candidate.data)) {
            found = absolute((char *)candidate.data);
        }
        buf_free(&candidate);
        path += size;
        path += *path == ':' ? 1 : 0;
    }
    return found;
}

/* The folder of a file; of "/x" it is "/". */
static char *folder_of(const char *file)
{
    char *folder = slice_copy(slice_of(file));
    char *slash = strrchr(folder, '/');

    slash[slash == folder ? 1 : 0] = '\0';
    return folder;
}

static char *current_folder(void)
{
    char *folder = absolute("");
    size_t size = strlen(folder);

    folder[size > 1 ? size - 1 : size] = '\0';
    return folder;
}

bool program_find(struct program *out, const char *name, const char *folder)
{
    bool is_file = strchr(name, '/') != NULL;

    out->path = is_file ? NULL : find_in_path(name);
    /* A file here that is in no folder of PATH is meant as well. */
    if (out->path == NULL && is_program(name)) {
        out->path = absolute(name);
        is_file = true;
    }
    if (out->path == NULL) {
        log_line(LOG_NOTE, "cannot run %s: %s", name,
                 access(name, F_OK) == 0 ? "not an executable file"
                                         : "there is no such file");
        return false;
    }
    if (folder != NULL && folder[0] != '\0') {
        out->folder = absolute(folder);
        if (access(out->folder, X_OK) != 0) {
            log_line(LOG_NOTE, "LAMBDA_TASK_ROOT is %s: %s", folder,
                     strerror(errno));
            return false;
        }
    } else {
        out->folder = is_file ? folder_of(out->path) : current_folder();
    }
    return true;
}

/* A file that has not changed for this long is complete. Who renames a file
 * that is complete into its place makes nobody wait longer. */
#define QUIET_NS (50 * NS_PER_MS)

static bool look(uint64_t text[4], const char *path)
{
    struct stat status;
    struct timespec now;
    int64_t age;

    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode)) {
        return false;
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    age = ((int64_t)now.tv_sec - status.st_mtim.tv_sec) * NS_PER_S +
          (now.tv_nsec - status.st_mtim.tv_nsec);
    text[0] = (uint64_t)status.st_dev;
    text[1] = (uint64_t)status.st_ino;
    text[2] = (uint64_t)status.st_size;
    text[3] = (uint64_t)status.st_mtim.tv_sec * (uint64_t)NS_PER_S +
              (uint64_t)status.st_mtim.tv_nsec;
    /* A time of the future, as some builds set it, says nothing. */
    return age < 0 || age >= QUIET_NS;
}

bool program_look(struct program_stamp *out, const struct program *p,
                  char *const *arguments)
{
    struct stat status;
    bool complete;

    *out = (struct program_stamp){{0}};
    complete = look(out->text, p->path) && access(p->path, X_OK) == 0;
    for (size_t i = 1; arguments[0] != NULL && arguments[i] != NULL; i++) {
        if (arguments[i][0] != '-' && stat(arguments[i], &status) == 0 &&
            S_ISREG(status.st_mode)) {
            return look(out->text + 4, arguments[i]) && complete;
        }
    }
    return complete;
}
