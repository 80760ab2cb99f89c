// load: runs one file operation over and over from some threads, and prints how fast it went, as JSON.
//
//   load OPERATION PATH THREADS SECONDS [PAYLOAD]
//
// OPERATION is one of
//   stat     fstatat of PATH
//   read     open, one read of 4 KiB, close
//   write    open for writing, one write of 200 bytes, close
//   readdir  opendir, readdir to the end, closedir
//   ls       the same, and fstatat of each entry, as `ls -l` does
//   stream   open, read to the end in pieces of 128 KiB, close
//   create   create, write 200 bytes, close, stat, unlink a file of its own in the directory PATH
//   append   open for writing, write 64 MiB in pieces of 128 KiB, close (PATH gets the thread's number)
//   call     open, write PAYLOAD, read the reply up to its end, close
//   spawn    posix_spawn of the program PATH, PAYLOAD to its stdin, read what it prints up to its end, wait for it
//   keep     write PAYLOAD and read the reply at offset 0, on a descriptor that is opened once
// A "%d" in PATH becomes the number of the thread. Exits 1 when an operation fails.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 128 * 1024, STREAM_PIECES = 512, SMALL = 200 };

struct worker {
  pthread_t thread;
  char path[4096];
  int number;
  uint64_t *nanoseconds; // one entry per operation
  size_t count, room;
  uint64_t bytes;
  int error; // errno of the operation that failed, or 0
  int kept;  // the descriptor that is opened once, plus 1
};

static atomic_bool running = true;
static int (*operation)(struct worker *);

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int do_stat(struct worker *w) {
  struct stat s;
  return stat(w->path, &s);
}

static int do_read(struct worker *w) {
  char piece[4096];
  int fd = open(w->path, O_RDONLY);
  if (fd < 0) return -1;
  ssize_t got = read(fd, piece, sizeof piece);
  if (got > 0) w->bytes += (uint64_t)got;
  return close(fd) < 0 || got < 0 ? -1 : 0;
}

static int do_write(struct worker *w) {
  char piece[SMALL];
  memset(piece, 'x', sizeof piece);
  int fd = open(w->path, O_WRONLY);
  if (fd < 0) return -1;
  ssize_t put = write(fd, piece, sizeof piece);
  if (put > 0) w->bytes += (uint64_t)put;
  return close(fd) < 0 || put != sizeof piece ? -1 : 0;
}

static int list(struct worker *w, int with_stat) {
  DIR *dir = opendir(w->path);
  if (dir == NULL) return -1;
  int failed = 0;
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    struct stat s;
    if (with_stat && fstatat(dirfd(dir), entry->d_name, &s, AT_SYMLINK_NOFOLLOW) < 0) failed = -1;
  }
  return closedir(dir) < 0 ? -1 : failed;
}

static int do_readdir(struct worker *w) { return list(w, 0); }
static int do_ls(struct worker *w) { return list(w, 1); }

static int do_stream(struct worker *w) {
  static _Thread_local char piece[PIECE];
  int fd = open(w->path, O_RDONLY);
  if (fd < 0) return -1;
  ssize_t got;
  while ((got = read(fd, piece, sizeof piece)) > 0) w->bytes += (uint64_t)got;
  return close(fd) < 0 || got < 0 ? -1 : 0;
}

static int do_create(struct worker *w) {
  char path[4200], piece[SMALL];
  struct stat s;
  memset(piece, 'x', sizeof piece);
  snprintf(path, sizeof path, "%s/load-%d-%zu", w->path, w->number, w->count);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
  if (fd < 0) return -1;
  ssize_t put = write(fd, piece, sizeof piece);
  if (close(fd) < 0 || put != sizeof piece) return -1;
  if (stat(path, &s) < 0) return -1;
  return unlink(path);
}

static int do_append(struct worker *w) {
  static _Thread_local char piece[PIECE];
  int fd = open(w->path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0) return -1;
  for (int i = 0; i < STREAM_PIECES; i++) {
    ssize_t put = write(fd, piece, sizeof piece);
    if (put != sizeof piece) {
      close(fd);
      return -1;
    }
    w->bytes += (uint64_t)put;
  }
  return close(fd);
}

static const char *payload = "{}";

static int do_call(struct worker *w) {
  char piece[65536];
  int fd = open(w->path, O_RDWR);
  if (fd < 0) return -1;
  ssize_t put = write(fd, payload, strlen(payload)), got = 0;
  if (put > 0)
    while ((got = read(fd, piece, sizeof piece)) > 0) w->bytes += (uint64_t)got;
  return close(fd) < 0 || put < 0 || got < 0 ? -1 : 0;
}

// Twice one way, as a file would be written and read: the reply stands at the start of the file.
static int do_keep(struct worker *w) {
  char piece[65536];
  if (w->kept == 0) w->kept = open(w->path, O_RDWR) + 1;
  if (w->kept == 0) return -1;
  ssize_t put = pwrite(w->kept - 1, payload, strlen(payload), 0);
  ssize_t got = put < 0 ? -1 : pread(w->kept - 1, piece, sizeof piece, 0);
  if (got > 0) w->bytes += (uint64_t)got;
  return got <= 0 ? -1 : 0;
}

extern char **environ;

static int do_spawn(struct worker *w) {
  char piece[65536];
  char *words[] = {w->path, NULL};
  int in[2], out[2], err[2], status;
  if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0) return -1;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err[1], 2);
  pid_t pid;
  int failed = posix_spawn(&pid, w->path, &actions, NULL, words, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(in[0]), close(out[1]), close(err[1]);
  ssize_t got = -1;
  if (failed == 0) {
    if (write(in[1], payload, strlen(payload)) < 0) return -1;
    close(in[1]), in[1] = -1;
    while ((got = read(out[0], piece, sizeof piece)) > 0) w->bytes += (uint64_t)got;
    while (got == 0 && (got = read(err[0], piece, sizeof piece)) > 0) continue;
    if (waitpid(pid, &status, 0) < 0 || status != 0) return -1;
  } else errno = failed;
  if (in[1] >= 0) close(in[1]);
  close(out[0]), close(err[0]);
  return got < 0 ? -1 : 0;
}

static const struct {
  const char *name;
  int (*run)(struct worker *);
} OPERATIONS[] = {
    {"stat", do_stat}, {"read", do_read},     {"write", do_write},   {"readdir", do_readdir},
    {"ls", do_ls},     {"stream", do_stream}, {"create", do_create}, {"append", do_append},
    {"call", do_call}, {"spawn", do_spawn},   {"keep", do_keep},
};

static void *work(void *argument) {
  struct worker *w = argument;
  while (atomic_load_explicit(&running, memory_order_relaxed)) {
    uint64_t start = now();
    if (operation(w) < 0) {
      w->error = errno == 0 ? EIO : errno;
      break;
    }
    if (w->count == w->room) {
      w->room = w->room == 0 ? 4096 : w->room * 2;
      w->nanoseconds = realloc(w->nanoseconds, w->room * sizeof *w->nanoseconds);
      if (w->nanoseconds == NULL) abort();
    }
    w->nanoseconds[w->count++] = now() - start;
  }
  return NULL;
}

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
  if (argc != 5 && argc != 6) {
    fprintf(stderr, "usage: load OPERATION PATH THREADS SECONDS [PAYLOAD]\n");
    return 2;
  }
  if (argc == 6) payload = argv[5];
  for (size_t i = 0; i < sizeof OPERATIONS / sizeof *OPERATIONS; i++)
    if (strcmp(argv[1], OPERATIONS[i].name) == 0) operation = OPERATIONS[i].run;
  int threads = atoi(argv[3]);
  double seconds = atof(argv[4]);
  if (operation == NULL || threads < 1 || threads > 1024 || seconds <= 0) {
    fprintf(stderr, "load: no such operation, or a number out of range\n");
    return 2;
  }

  struct worker *workers = calloc((size_t)threads, sizeof *workers);
  if (workers == NULL) abort();
  const char *mark = strstr(argv[2], "%d");
  uint64_t start = now();
  for (int i = 0; i < threads; i++) {
    struct worker *w = &workers[i];
    w->number = i;
    if (mark == NULL) snprintf(w->path, sizeof w->path, "%s", argv[2]);
    else snprintf(w->path, sizeof w->path, "%.*s%d%s", (int)(mark - argv[2]), argv[2], i, mark + 2);
    if (pthread_create(&w->thread, NULL, work, w) != 0) abort();
  }
  struct timespec pause = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
  nanosleep(&pause, NULL);
  running = false;

  size_t count = 0;
  uint64_t bytes = 0;
  int error = 0;
  for (int i = 0; i < threads; i++) {
    pthread_join(workers[i].thread, NULL);
    count += workers[i].count;
    bytes += workers[i].bytes;
    if (workers[i].error != 0) error = workers[i].error;
  }
  double took = (double)(now() - start) / 1e9;
  if (error != 0 || count == 0) {
    fprintf(stderr, "load: %s of %s: %s\n", argv[1], argv[2], error ? strerror(error) : "nothing done");
    return 1;
  }
  uint64_t *all = malloc(count * sizeof *all);
  if (all == NULL) abort();
  for (size_t i = 0, at = 0; i < (size_t)threads; at += workers[i++].count)
    memcpy(all + at, workers[i].nanoseconds, workers[i].count * sizeof *all);
  qsort(all, count, sizeof *all, by_value);
  printf("{\"operation\":\"%s\",\"threads\":%d,\"count\":%zu,\"seconds\":%.6f,\"per_second\":%.2f,"
         "\"bytes_per_second\":%.0f,\"p50_us\":%.3f,\"p99_us\":%.3f,\"max_us\":%.3f}\n",
         argv[1], threads, count, took, (double)count / took, (double)bytes / took,
         (double)all[count / 2] / 1e3, (double)all[count * 99 / 100] / 1e3, (double)all[count - 1] / 1e3);
  return 0;
}
