// yardstick: a small filesystem in memory on libfuse3's low-level interface, to measure others against.
// It does as little per request as a filesystem in C can, and caches nothing in the kernel (attribute
// and entry timeouts 0), unless run with --cache.
//
//   yardstick [--cache] [-s] [-f] MOUNTPOINT      (-s: one thread)
//
//   /doc       1 KiB, read through the page cache
//   /live      1 KiB, direct I/O; takes writes and forgets them
//   /talk      the same (other filesystems give each caller a node of its own for it)
//   /big       64 MiB of zeros, through the page cache
//   /bigdirect the same, direct I/O
//   /many      a directory of 1,000 empty files
//   /tree      50 directories of 1,000 empty files each
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ROOT = FUSE_ROOT_ID, DOC, LIVE, TALK, BIG, BIG_DIRECT, MANY, TREE, FIRST, COUNT = 1000 };
// The directories of /tree have the numbers after the files of /many, and their files those after them.
enum { DIRS = 50, DIR_AT = FIRST + COUNT, FILE_AT = DIR_AT + DIRS, END = FILE_AT + DIRS * COUNT };

static const char *const NAMES[] = {[DOC] = "doc", [LIVE] = "live", [TALK] = "talk", [BIG] = "big", [BIG_DIRECT] = "bigdirect", [MANY] = "many", [TREE] = "tree"};
static const size_t BIG_SIZE = 64u << 20;
static double timeout_seconds = 0;
static char zeros[1 << 20];

static bool attributes(fuse_ino_t ino, struct stat *s) {
  memset(s, 0, sizeof *s);
  s->st_ino = ino;
  if (ino == ROOT || ino == MANY || ino == TREE || (ino >= DIR_AT && ino < FILE_AT)) {
    s->st_mode = S_IFDIR | 0755;
    s->st_nlink = 2;
    return true;
  }
  if (ino >= END) return false;
  s->st_mode = S_IFREG | 0666;
  s->st_nlink = 1;
  s->st_size = ino == DOC || ino == LIVE || ino == TALK ? 1024 : ino == BIG || ino == BIG_DIRECT ? (off_t)BIG_SIZE : 0;
  s->st_mtime = 1700000000;
  return true;
}

// How many entries a directory has.
static unsigned size_of(fuse_ino_t dir) {
  if (dir == ROOT) return TREE - DOC + 1;
  if (dir == TREE) return DIRS;
  return dir == MANY || (dir >= DIR_AT && dir < FILE_AT) ? COUNT : 0;
}

// The number of its first entry; the others follow.
static fuse_ino_t first_of(fuse_ino_t dir) {
  if (dir == ROOT) return DOC;
  if (dir == TREE) return DIR_AT;
  return dir == MANY ? (fuse_ino_t)FIRST : FILE_AT + (dir - DIR_AT) * COUNT;
}

static fuse_ino_t find(fuse_ino_t parent, const char *name) {
  if (parent == ROOT) {
    for (fuse_ino_t ino = DOC; ino <= TREE; ino++)
      if (strcmp(name, NAMES[ino]) == 0) return ino;
    return 0;
  }
  unsigned number;
  if (sscanf(name, parent == TREE ? "d%u" : "f%u", &number) != 1 || number >= size_of(parent)) return 0;
  return first_of(parent) + number;
}

static bool entry_of(fuse_ino_t ino, struct fuse_entry_param *entry) {
  memset(entry, 0, sizeof *entry);
  entry->ino = ino;
  entry->attr_timeout = entry->entry_timeout = timeout_seconds;
  return ino != 0 && attributes(ino, &entry->attr);
}

static void ys_lookup(fuse_req_t req, fuse_ino_t parent, const char *name) {
  struct fuse_entry_param entry;
  if (entry_of(find(parent, name), &entry)) fuse_reply_entry(req, &entry);
  else fuse_reply_err(req, ENOENT);
}

static void ys_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file) {
  (void)file;
  struct stat s;
  if (attributes(ino, &s)) fuse_reply_attr(req, &s, timeout_seconds);
  else fuse_reply_err(req, ENOENT);
}

static void ys_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *change, int what, struct fuse_file_info *file) {
  (void)change, (void)what;
  ys_getattr(req, ino, file);
}

static void ys_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file) {
  file->direct_io = ino == LIVE || ino == TALK || ino == BIG_DIRECT;
  file->keep_cache = timeout_seconds > 0 && !file->direct_io;
  fuse_reply_open(req, file);
}

static void ys_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at, struct fuse_file_info *file) {
  (void)file;
  struct stat s;
  attributes(ino, &s);
  size_t left = at < s.st_size ? (size_t)(s.st_size - at) : 0;
  if (size > left) size = left;
  fuse_reply_buf(req, zeros, size < sizeof zeros ? size : sizeof zeros);
}

static void ys_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t at, struct fuse_file_info *file) {
  (void)ino, (void)data, (void)at, (void)file;
  fuse_reply_write(req, size);
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at, bool plus) {
  off_t last = size_of(ino);
  char *buffer = malloc(size);
  size_t used = 0;
  for (off_t i = at; i < last; i++) {
    char name[32];
    struct fuse_entry_param entry;
    fuse_ino_t child = first_of(ino) + (fuse_ino_t)i;
    if (ino == ROOT) snprintf(name, sizeof name, "%s", NAMES[child]);
    else snprintf(name, sizeof name, ino == TREE ? "d%u" : "f%u", (unsigned)i);
    entry_of(child, &entry);
    size_t need = plus ? fuse_add_direntry_plus(req, buffer + used, size - used, name, &entry, i + 1)
                       : fuse_add_direntry(req, buffer + used, size - used, name, &entry.attr, i + 1);
    if (need > size - used) break;
    used += need;
  }
  fuse_reply_buf(req, buffer, used);
  free(buffer);
}

static void ys_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at, struct fuse_file_info *file) {
  (void)file;
  list(req, ino, size, at, false);
}

static void ys_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at, struct fuse_file_info *file) {
  (void)file;
  list(req, ino, size, at, true);
}

static const struct fuse_lowlevel_ops OPS = {
    .lookup = ys_lookup, .getattr = ys_getattr, .setattr = ys_setattr, .open = ys_open,
    .read = ys_read,     .write = ys_write,     .readdir = ys_readdir, .readdirplus = ys_readdirplus,
};

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--cache") == 0) {
    timeout_seconds = 3600;
    argv[1] = argv[0];
    argc--, argv++;
  }
  struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
  struct fuse_cmdline_opts options;
  if (fuse_parse_cmdline(&args, &options) != 0 || options.mountpoint == NULL) return 2;
  struct fuse_session *session = fuse_session_new(&args, &OPS, sizeof OPS, NULL);
  if (session == NULL) return 1;
  if (fuse_set_signal_handlers(session) != 0 || fuse_session_mount(session, options.mountpoint) != 0) return 1;
  puts("ready");
  fflush(stdout);
  int failed;
  if (options.singlethread) {
    failed = fuse_session_loop(session);
  } else {
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    failed = fuse_session_loop_mt(session, config);
    fuse_loop_cfg_destroy(config);
  }
  fuse_session_unmount(session);
  fuse_remove_signal_handlers(session);
  fuse_session_destroy(session);
  fuse_opt_free_args(&args);
  return failed < 0;
}
