// passthrough: shows a directory as a filesystem, on libfuse3's path interface: what an export (the FS
// provider) is measured against. Data moves by splice where the kernel can.
//
//   passthrough SOURCE [-s] [-f] MOUNTPOINT
#define FUSE_USE_VERSION 35
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int source;

static const char *below(const char *path) { return path[1] == '\0' ? "." : path + 1; }
static int answer(int result) { return result < 0 ? -errno : 0; }

static void *pt_init(struct fuse_conn_info *connection, struct fuse_config *config) {
  (void)connection;
  config->use_ino = 1;
  config->entry_timeout = config->attr_timeout = 1;
  config->nullpath_ok = 1;
  puts("ready");
  fflush(stdout);
  return NULL;
}

static int pt_getattr(const char *path, struct stat *s, struct fuse_file_info *file) {
  return answer(file != NULL ? fstat((int)file->fh, s) : fstatat(source, below(path), s, AT_SYMLINK_NOFOLLOW));
}

static int pt_opendir(const char *path, struct fuse_file_info *file) {
  int fd = openat(source, below(path), O_RDONLY | O_DIRECTORY);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  file->fh = (uint64_t)(uintptr_t)dir;
  return dir == NULL ? -errno : 0;
}

static int pt_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t at, struct fuse_file_info *file,
                      enum fuse_readdir_flags flags) {
  (void)path, (void)at;
  DIR *dir = (DIR *)(uintptr_t)file->fh;
  rewinddir(dir);
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    struct stat s = {.st_ino = entry->d_ino, .st_mode = DTTOIF(entry->d_type)};
    enum fuse_fill_dir_flags plus = 0;
    if ((flags & FUSE_READDIR_PLUS) && fstatat(dirfd(dir), entry->d_name, &s, AT_SYMLINK_NOFOLLOW) == 0)
      plus = FUSE_FILL_DIR_PLUS;
    fill(buffer, entry->d_name, &s, 0, plus);
  }
  return 0;
}

static int pt_releasedir(const char *path, struct fuse_file_info *file) {
  (void)path;
  return answer(closedir((DIR *)(uintptr_t)file->fh));
}

static int pt_open(const char *path, struct fuse_file_info *file) {
  int fd = openat(source, below(path), file->flags & ~O_NOFOLLOW);
  file->fh = (uint64_t)fd;
  return answer(fd);
}

static int pt_create(const char *path, mode_t mode, struct fuse_file_info *file) {
  int fd = openat(source, below(path), file->flags | O_CREAT, mode);
  file->fh = (uint64_t)fd;
  return answer(fd);
}

static int pt_read_buf(const char *path, struct fuse_bufvec **out, size_t size, off_t at, struct fuse_file_info *file) {
  (void)path;
  struct fuse_bufvec *vector = malloc(sizeof *vector);
  if (vector == NULL) return -ENOMEM;
  *vector = FUSE_BUFVEC_INIT(size);
  vector->buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
  vector->buf[0].fd = (int)file->fh;
  vector->buf[0].pos = at;
  *out = vector;
  return 0;
}

static int pt_write_buf(const char *path, struct fuse_bufvec *in, off_t at, struct fuse_file_info *file) {
  (void)path;
  struct fuse_bufvec out = FUSE_BUFVEC_INIT(fuse_buf_size(in));
  out.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
  out.buf[0].fd = (int)file->fh;
  out.buf[0].pos = at;
  return (int)fuse_buf_copy(&out, in, FUSE_BUF_SPLICE_NONBLOCK);
}

static int pt_release(const char *path, struct fuse_file_info *file) {
  (void)path;
  return answer(close((int)file->fh));
}

static int pt_truncate(const char *path, off_t size, struct fuse_file_info *file) {
  if (file != NULL) return answer(ftruncate((int)file->fh, size));
  int fd = openat(source, below(path), O_WRONLY);
  if (fd < 0) return -errno;
  int failed = answer(ftruncate(fd, size));
  close(fd);
  return failed;
}

static int pt_unlink(const char *path) { return answer(unlinkat(source, below(path), 0)); }
static int pt_rmdir(const char *path) { return answer(unlinkat(source, below(path), AT_REMOVEDIR)); }
static int pt_mkdir(const char *path, mode_t mode) { return answer(mkdirat(source, below(path), mode)); }
static int pt_rename(const char *from, const char *to, unsigned flags) {
  return answer(renameat2(source, below(from), source, below(to), flags));
}
static int pt_utimens(const char *path, const struct timespec times[2], struct fuse_file_info *file) {
  return answer(file != NULL ? futimens((int)file->fh, times) : utimensat(source, below(path), times, AT_SYMLINK_NOFOLLOW));
}
static int pt_chmod(const char *path, mode_t mode, struct fuse_file_info *file) {
  return answer(file != NULL ? fchmod((int)file->fh, mode) : fchmodat(source, below(path), mode, 0));
}
static int pt_statfs(const char *path, struct statvfs *s) {
  (void)path;
  return answer(fstatvfs(source, s));
}

static const struct fuse_operations OPS = {
    .init = pt_init,       .getattr = pt_getattr,     .opendir = pt_opendir,     .readdir = pt_readdir,
    .releasedir = pt_releasedir, .open = pt_open,     .create = pt_create,       .read_buf = pt_read_buf,
    .write_buf = pt_write_buf,   .release = pt_release, .truncate = pt_truncate, .unlink = pt_unlink,
    .rmdir = pt_rmdir,     .mkdir = pt_mkdir,         .rename = pt_rename,       .utimens = pt_utimens,
    .chmod = pt_chmod,     .statfs = pt_statfs,
};

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: passthrough SOURCE [-s] [-f] MOUNTPOINT\n");
    return 2;
  }
  source = open(argv[1], O_RDONLY | O_DIRECTORY);
  if (source < 0) {
    perror(argv[1]);
    return 1;
  }
  umask(0);
  argv[1] = argv[0];
  return fuse_main(argc - 1, argv + 1, &OPS, NULL);
}
