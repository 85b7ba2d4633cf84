/*
 * A disk for SQLite that can lose power: an SQLite VFS whose files live in memory, once as programs
 * see them and once as the platter has them. A write is seen at once and durable with the next sync
 * of its file; a power cut keeps an arbitrary part of what was not synced, torn at sectors.
 *
 * Loaded as an extension it becomes the default VFS of the process for paths below its root, and
 * gives the loading connection one function, `simdisk(operation, path [, a [, b]])`. Paths are
 * prefixes where an operation says so: a prefix is a machine.
 */
#include "sqlite3ext.h"
SQLITE_EXTENSION_INIT1
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SECTOR = 512, REGIONS = 32, LOCKS = 8 };

typedef struct Pending {
  sqlite3_int64 offset;
  int length; /* -1: a truncation to offset */
  unsigned char *bytes;
} Pending;

typedef struct Content {
  unsigned char *bytes;
  sqlite3_int64 size, room;
} Content;

typedef struct File {
  char *name;
  int exists, durableExists;
  Content now, durable;
  Pending *pending;
  int pendingCount, pendingRoom;
  unsigned char *region[REGIONS];
  int regionCount;
  int shared, reserved, exclusive; /* holders of the rollback locks */
  int shmShared[LOCKS], shmExclusive[LOCKS];
  unsigned generation; /* handles of an older one are dead */
  struct File *next;
} File;

typedef struct Handle {
  sqlite3_file base;
  File *file;
  unsigned generation;
  int lock, deleteOnClose;
  uint16_t shmShared, shmExclusive;
} Handle;

typedef struct Machine {
  char *prefix;
  sqlite3_int64 limit;   /* bytes of all its files, -1 for none */
  int failAfter;         /* writes and syncs until one fails, -1 for never */
  int failing;           /* every write and sync fails */
  int lying;             /* a sync says it is done and is not */
  struct Machine *next;
} Machine;

static sqlite3_vfs *real;
static sqlite3_vfs vfs;
static char *root;
static File *files;
static Machine *machines;
static uint64_t chance;
static sqlite3_int64 syncs, writes;

static uint32_t draw(void) { /* splitmix64 */
  uint64_t z = (chance += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (uint32_t)((z ^ (z >> 31)) >> 16);
}

static int startsWith(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

static void *grow(void *memory, size_t bytes) {
  void *grown = realloc(memory, bytes ? bytes : 1);
  if (!grown) abort();
  return grown;
}

static void resize(Content *content, sqlite3_int64 size) {
  if (size > content->room) {
    content->room = size + size / 2 + 4096;
    content->bytes = grow(content->bytes, (size_t)content->room);
  }
  if (size > content->size) memset(content->bytes + content->size, 0, (size_t)(size - content->size));
  content->size = size;
}

static void put(Content *content, sqlite3_int64 offset, const unsigned char *bytes, int length) {
  if (offset + length > content->size) resize(content, offset + length);
  memcpy(content->bytes + offset, bytes, (size_t)length);
}

static void copyContent(Content *to, const Content *from) {
  resize(to, 0);
  resize(to, from->size);
  if (from->size) memcpy(to->bytes, from->bytes, (size_t)from->size);
}

static File *find(const char *name) {
  for (File *file = files; file; file = file->next)
    if (strcmp(file->name, name) == 0) return file;
  return 0;
}

static File *findOrMake(const char *name) {
  File *file = find(name);
  if (file) return file;
  file = grow(0, sizeof *file);
  memset(file, 0, sizeof *file);
  file->name = strdup(name);
  file->next = files;
  files = file;
  return file;
}

static Machine *machineOf(const char *name) {
  for (Machine *machine = machines; machine; machine = machine->next)
    if (startsWith(name, machine->prefix)) return machine;
  return 0;
}

static Machine *machineNamed(const char *prefix) {
  for (Machine *machine = machines; machine; machine = machine->next)
    if (strcmp(machine->prefix, prefix) == 0) return machine;
  Machine *machine = grow(0, sizeof *machine);
  memset(machine, 0, sizeof *machine);
  machine->prefix = strdup(prefix);
  machine->limit = machine->failAfter = -1;
  machine->next = machines;
  return machines = machine;
}

static sqlite3_int64 used(const char *prefix) {
  sqlite3_int64 sum = 0;
  for (File *file = files; file; file = file->next)
    if (file->exists && startsWith(file->name, prefix)) sum += file->now.size;
  return sum;
}

static void forgetPending(File *file) {
  for (int i = 0; i < file->pendingCount; i++) free(file->pending[i].bytes);
  file->pendingCount = 0;
}

static void remember(File *file, sqlite3_int64 offset, const unsigned char *bytes, int length) {
  if (file->pendingCount == file->pendingRoom) {
    file->pendingRoom = file->pendingRoom * 2 + 16;
    file->pending = grow(file->pending, sizeof(Pending) * (size_t)file->pendingRoom);
  }
  Pending *pending = &file->pending[file->pendingCount++];
  pending->offset = offset;
  pending->length = length;
  pending->bytes = 0;
  if (length > 0) memcpy(pending->bytes = grow(0, (size_t)length), bytes, (size_t)length);
}

static void apply(Content *content, const Pending *pending) {
  if (pending->length < 0) resize(content, pending->offset);
  else put(content, pending->offset, pending->bytes, pending->length);
}

/* What was made or removed in the folder before a sync is durable with it: ext4 and XFS keep that order. */
static void syncFolder(const char *name) {
  size_t folder = (size_t)(strrchr(name, '/') - name) + 1;
  for (File *file = files; file; file = file->next) {
    if (strncmp(file->name, name, folder) != 0) continue;
    file->durableExists = file->exists;
    if (!file->exists) resize(&file->durable, 0);
  }
}

static void makeDurable(File *file) {
  for (int i = 0; i < file->pendingCount; i++) apply(&file->durable, &file->pending[i]);
  forgetPending(file);
  syncFolder(file->name);
}

/* Every handle of the file is dead, and with it its locks and shared memory. */
static void orphan(File *file) {
  file->generation++;
  file->shared = file->reserved = file->exclusive = 0;
  memset(file->shmShared, 0, sizeof file->shmShared);
  memset(file->shmExclusive, 0, sizeof file->shmExclusive);
  for (int i = 0; i < file->regionCount; i++) {
    /* A dead handle may still read it: the memory is left to the end of the process. */
    file->region[i] = 0;
  }
  file->regionCount = 0;
}

static int dead(Handle *handle) { return handle->generation != handle->file->generation; }

static int refuses(File *file) {
  Machine *machine = machineOf(file->name);
  if (!machine) return 0;
  if (machine->failing) return 1;
  if (machine->failAfter < 0) return 0;
  return machine->failAfter-- == 0;
}

/* ---- sqlite3_file ---- */

static int fileClose(sqlite3_file *base);

static int fileRead(sqlite3_file *base, void *into, int length, sqlite3_int64 offset) {
  Handle *handle = (Handle *)base;
  Content *now = &handle->file->now;
  if (dead(handle)) return SQLITE_IOERR_READ;
  sqlite3_int64 there = now->size - offset;
  if (there >= length) {
    memcpy(into, now->bytes + offset, (size_t)length);
    return SQLITE_OK;
  }
  if (there > 0) memcpy(into, now->bytes + offset, (size_t)there);
  else there = 0;
  memset((unsigned char *)into + there, 0, (size_t)(length - there));
  return SQLITE_IOERR_SHORT_READ;
}

static int fileWrite(sqlite3_file *base, const void *bytes, int length, sqlite3_int64 offset) {
  Handle *handle = (Handle *)base;
  File *file = handle->file;
  if (dead(handle) || refuses(file)) return SQLITE_IOERR_WRITE;
  Machine *machine = machineOf(file->name);
  sqlite3_int64 more = offset + length - file->now.size;
  if (machine && machine->limit >= 0 && more > 0 && used(machine->prefix) + more > machine->limit) return SQLITE_FULL;
  writes++;
  remember(file, offset, bytes, length);
  put(&file->now, offset, bytes, length);
  return SQLITE_OK;
}

static int fileTruncate(sqlite3_file *base, sqlite3_int64 size) {
  Handle *handle = (Handle *)base;
  if (dead(handle)) return SQLITE_IOERR_TRUNCATE;
  remember(handle->file, size, 0, -1);
  resize(&handle->file->now, size);
  return SQLITE_OK;
}

static int fileSync(sqlite3_file *base, int flags) {
  Handle *handle = (Handle *)base;
  (void)flags;
  if (dead(handle) || refuses(handle->file)) return SQLITE_IOERR_FSYNC;
  syncs++;
  Machine *machine = machineOf(handle->file->name);
  if (!machine || !machine->lying) makeDurable(handle->file);
  return SQLITE_OK;
}

static int fileSize(sqlite3_file *base, sqlite3_int64 *size) {
  Handle *handle = (Handle *)base;
  if (dead(handle)) return SQLITE_IOERR_FSTAT;
  *size = handle->file->now.size;
  return SQLITE_OK;
}

static void letGo(Handle *handle, int to) {
  File *file = handle->file;
  if (handle->lock >= SQLITE_LOCK_EXCLUSIVE && to < SQLITE_LOCK_EXCLUSIVE) file->exclusive = 0;
  if (handle->lock >= SQLITE_LOCK_RESERVED && to < SQLITE_LOCK_RESERVED) file->reserved = 0;
  if (handle->lock >= SQLITE_LOCK_SHARED && to < SQLITE_LOCK_SHARED) file->shared--;
  handle->lock = to;
}

static int fileLock(sqlite3_file *base, int to) {
  Handle *handle = (Handle *)base;
  File *file = handle->file;
  if (dead(handle)) return SQLITE_IOERR_LOCK;
  if (to <= handle->lock) return SQLITE_OK;
  if (handle->lock < SQLITE_LOCK_SHARED) {
    if (file->exclusive) return SQLITE_BUSY;
    file->shared++;
    handle->lock = SQLITE_LOCK_SHARED;
  }
  if (to >= SQLITE_LOCK_RESERVED && handle->lock < SQLITE_LOCK_RESERVED) {
    if (file->reserved) return SQLITE_BUSY;
    file->reserved = 1;
    handle->lock = SQLITE_LOCK_RESERVED;
  }
  if (to >= SQLITE_LOCK_EXCLUSIVE) {
    if (file->shared > 1) return SQLITE_BUSY;
    file->exclusive = 1;
    handle->lock = SQLITE_LOCK_EXCLUSIVE;
  }
  return SQLITE_OK;
}

static int fileUnlock(sqlite3_file *base, int to) {
  Handle *handle = (Handle *)base;
  if (!dead(handle) && to < handle->lock) letGo(handle, to);
  return SQLITE_OK;
}

static int fileCheckReservedLock(sqlite3_file *base, int *reserved) {
  Handle *handle = (Handle *)base;
  *reserved = !dead(handle) && handle->file->reserved;
  return SQLITE_OK;
}

static int fileControl(sqlite3_file *base, int operation, void *argument) {
  (void)base, (void)operation, (void)argument;
  return SQLITE_NOTFOUND;
}

static int fileSectorSize(sqlite3_file *base) {
  (void)base;
  return 4096;
}

static int fileDeviceCharacteristics(sqlite3_file *base) {
  (void)base;
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int shmMap(sqlite3_file *base, int number, int bytes, int extend, void volatile **memory) {
  Handle *handle = (Handle *)base;
  File *file = handle->file;
  *memory = 0;
  if (dead(handle) || number >= REGIONS) return SQLITE_IOERR_SHMMAP;
  while (file->regionCount <= number) {
    if (!extend) return SQLITE_OK;
    file->region[file->regionCount] = grow(0, (size_t)bytes);
    memset(file->region[file->regionCount++], 0, (size_t)bytes);
  }
  *memory = file->region[number];
  return SQLITE_OK;
}

static int shmLock(sqlite3_file *base, int first, int count, int flags) {
  Handle *handle = (Handle *)base;
  File *file = handle->file;
  if (dead(handle)) return SQLITE_IOERR_SHMLOCK;
  for (int pass = 0; pass < 2; pass++) {
    for (int i = first; i < first + count; i++) {
      uint16_t bit = (uint16_t)(1u << i);
      if (flags & SQLITE_SHM_UNLOCK) {
        if (pass == 0) continue;
        if (handle->shmExclusive & bit) file->shmExclusive[i] = 0;
        if (handle->shmShared & bit) file->shmShared[i]--;
        handle->shmExclusive &= (uint16_t)~bit;
        handle->shmShared &= (uint16_t)~bit;
      } else if (flags & SQLITE_SHM_EXCLUSIVE) {
        int others = file->shmShared[i] - ((handle->shmShared & bit) != 0);
        if (pass == 0 && ((file->shmExclusive[i] && !(handle->shmExclusive & bit)) || others > 0)) return SQLITE_BUSY;
        if (pass == 0) continue;
        file->shmExclusive[i] = 1;
        handle->shmExclusive |= bit;
      } else {
        if (pass == 0 && file->shmExclusive[i] && !(handle->shmExclusive & bit)) return SQLITE_BUSY;
        if (pass == 0 || (handle->shmShared & bit)) continue;
        file->shmShared[i]++;
        handle->shmShared |= bit;
      }
    }
  }
  return SQLITE_OK;
}

static void shmBarrier(sqlite3_file *base) { (void)base; }

static int shmUnmap(sqlite3_file *base, int deleteIt) {
  Handle *handle = (Handle *)base;
  (void)deleteIt;
  if (!dead(handle)) shmLock(base, 0, LOCKS, SQLITE_SHM_UNLOCK);
  return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
  2, fileClose, fileRead, fileWrite, fileTruncate, fileSync, fileSize, fileLock, fileUnlock,
  fileCheckReservedLock, fileControl, fileSectorSize, fileDeviceCharacteristics,
  shmMap, shmLock, shmBarrier, shmUnmap, 0, 0,
};

static void removeFile(File *file, int durably) {
  file->exists = 0;
  resize(&file->now, 0);
  forgetPending(file);
  orphan(file);
  if (!durably) return;
  file->durableExists = 0;
  resize(&file->durable, 0);
}

static int fileClose(sqlite3_file *base) {
  Handle *handle = (Handle *)base;
  if (dead(handle)) return SQLITE_OK;
  shmLock(base, 0, LOCKS, SQLITE_SHM_UNLOCK);
  letGo(handle, SQLITE_LOCK_NONE);
  if (handle->deleteOnClose) removeFile(handle->file, 1);
  return SQLITE_OK;
}

/* ---- sqlite3_vfs ---- */

static int isOurs(const char *name) { return name && root && startsWith(name, root); }

static int vfsOpen(sqlite3_vfs *self, const char *name, sqlite3_file *base, int flags, int *outFlags) {
  (void)self;
  if (!isOurs(name)) return real->xOpen(real, name, base, flags, outFlags);
  Handle *handle = (Handle *)base;
  memset(handle, 0, sizeof *handle);
  File *file = findOrMake(name);
  if (!file->exists && !(flags & SQLITE_OPEN_CREATE)) return SQLITE_CANTOPEN;
  file->exists = 1;
  handle->file = file;
  handle->generation = file->generation;
  handle->deleteOnClose = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  handle->base.pMethods = &methods;
  if (outFlags) *outFlags = flags;
  return SQLITE_OK;
}

static int vfsDelete(sqlite3_vfs *self, const char *name, int syncDirectory) {
  (void)self;
  if (!isOurs(name)) return real->xDelete(real, name, syncDirectory);
  File *file = find(name);
  if (!file || !file->exists) return SQLITE_IOERR_DELETE_NOENT;
  removeFile(file, syncDirectory);
  return SQLITE_OK;
}

static int vfsAccess(sqlite3_vfs *self, const char *name, int flags, int *out) {
  (void)self;
  if (!isOurs(name)) return real->xAccess(real, name, flags, out);
  File *file = find(name);
  *out = file && file->exists && (flags != SQLITE_ACCESS_EXISTS || file->now.size > 0);
  return SQLITE_OK;
}

static int vfsFullPathname(sqlite3_vfs *self, const char *name, int length, char *out) {
  (void)self;
  if (!isOurs(name)) return real->xFullPathname(real, name, length, out);
  sqlite3_snprintf(length, out, "%s", name);
  return SQLITE_OK;
}

static int vfsRandomness(sqlite3_vfs *self, int length, char *out) {
  (void)self;
  for (int i = 0; i < length; i++) out[i] = (char)draw();
  return SQLITE_OK;
}

/* ---- control ---- */

/* What survives of the unsynced writes: nothing, all, a prefix, or each sector by its own chance. */
static void cutPower(File *file) {
  int kind = (int)(draw() % 4);
  int prefix = file->pendingCount ? (int)(draw() % (unsigned)(file->pendingCount + 1)) : 0;
  for (int i = 0; i < file->pendingCount; i++) {
    Pending *pending = &file->pending[i];
    if (kind == 0 || (kind == 2 && i >= prefix)) continue;
    if (kind != 3) {
      apply(&file->durable, pending);
      continue;
    }
    if (pending->length < 0) {
      if (draw() & 1) apply(&file->durable, pending);
      continue;
    }
    for (int at = 0; at < pending->length; at += SECTOR) {
      int length = pending->length - at < SECTOR ? pending->length - at : SECTOR;
      if (draw() & 1) put(&file->durable, pending->offset + at, pending->bytes + at, length);
    }
  }
  forgetPending(file);
  file->exists = file->durableExists;
  if (!file->exists) resize(&file->durable, 0);
  copyContent(&file->now, &file->durable);
  orphan(file);
}

static void eachFile(const char *prefix, void (*visit)(File *)) {
  for (File *file = files; file; file = file->next)
    if (startsWith(file->name, prefix)) visit(file);
}

static void forgetFile(File *file) { removeFile(file, 1); }

static sqlite3_int64 rename_(const char *from, const char *to) {
  File *source = find(from);
  if (!source || !source->exists) return 0;
  File *target = findOrMake(to);
  orphan(target);
  copyContent(&target->now, &source->now);
  copyContent(&target->durable, &source->now);
  forgetPending(target);
  target->exists = target->durableExists = 1;
  removeFile(source, 1);
  return 1;
}

/* An image of what a program that runs on sees: `from` may be open. */
static void copyFile(const char *from, const char *to) {
  File *source = find(from);
  File *target = findOrMake(to);
  removeFile(target, 1);
  if (!source || !source->exists) return;
  copyContent(&target->now, &source->now);
  copyContent(&target->durable, &source->now);
  target->exists = target->durableExists = 1;
}

static void flipBits(File *file, int count) {
  for (int i = 0; i < count && file->now.size > 0; i++) {
    sqlite3_int64 at = draw() % (uint32_t)file->now.size;
    file->now.bytes[at] ^= (unsigned char)(1u << (draw() % 8));
  }
  copyContent(&file->durable, &file->now);
  orphan(file);
}

static sqlite3_int64 preallocate(const char *name, sqlite3_int64 bytes) {
  Machine *machine = machineOf(name);
  File *file = findOrMake(name);
  removeFile(file, 1);
  if (machine && (machine->failing || (machine->limit >= 0 && used(machine->prefix) + bytes > machine->limit))) return 0;
  resize(&file->now, bytes);
  copyContent(&file->durable, &file->now);
  file->exists = file->durableExists = 1;
  return 1;
}

static void control(sqlite3_context *context, int count, sqlite3_value **values) {
  const char *operation = (const char *)sqlite3_value_text(values[0]);
  const char *path = count > 1 ? (const char *)sqlite3_value_text(values[1]) : 0;
  const char *other = count > 2 ? (const char *)sqlite3_value_text(values[2]) : 0;
  sqlite3_int64 a = count > 2 ? sqlite3_value_int64(values[2]) : 0;
  File *file = path ? find(path) : 0;
  sqlite3_int64 result = 0;
  if (!operation) return sqlite3_result_error(context, "simdisk: no operation", -1);
  if (!path) path = "";
  if (!strcmp(operation, "root")) { free(root); root = strdup(path); }
  else if (!strcmp(operation, "seed")) { chance = (uint64_t)sqlite3_value_int64(values[1]); sqlite3_randomness(0, 0); }
  else if (!strcmp(operation, "cut")) eachFile(path, cutPower);
  else if (!strcmp(operation, "kill")) eachFile(path, orphan);
  else if (!strcmp(operation, "forget")) eachFile(path, forgetFile);
  else if (!strcmp(operation, "limit")) machineNamed(path)->limit = a;
  else if (!strcmp(operation, "fail-after")) machineNamed(path)->failAfter = (int)a;
  else if (!strcmp(operation, "failing")) machineNamed(path)->failing = (int)a;
  else if (!strcmp(operation, "lying")) machineNamed(path)->lying = (int)a;
  else if (!strcmp(operation, "exists")) result = file && file->exists;
  else if (!strcmp(operation, "size")) result = file && file->exists ? file->now.size : 0;
  else if (!strcmp(operation, "used")) result = used(path);
  else if (!strcmp(operation, "remove")) { if (file) removeFile(file, 1); }
  else if (!strcmp(operation, "rename")) result = other ? rename_(path, other) : 0;
  else if (!strcmp(operation, "copy")) { if (other) copyFile(path, other); }
  else if (!strcmp(operation, "flip")) { if (file && file->exists) flipBits(file, (int)a); }
  else if (!strcmp(operation, "truncate")) {
    if (file && file->exists && a < file->now.size) { resize(&file->now, a); copyContent(&file->durable, &file->now); orphan(file); }
  }
  else if (!strcmp(operation, "preallocate")) result = preallocate(path, a);
  else if (!strcmp(operation, "unsynced")) {
    for (int i = 0; file && i < file->pendingCount; i++) result += file->pending[i].length >= 0;
  }
  else if (!strcmp(operation, "syncs")) result = syncs;
  else if (!strcmp(operation, "writes")) result = writes;
  else return sqlite3_result_error(context, "simdisk: unknown operation", -1);
  sqlite3_result_int64(context, result);
}

int sqlite3_extension_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
  SQLITE_EXTENSION_INIT2(api);
  (void)message;
  if (!real) {
    real = sqlite3_vfs_find(0);
    vfs = *real;
    vfs.zName = "simdisk";
    vfs.pNext = 0;
    vfs.szOsFile = real->szOsFile > (int)sizeof(Handle) ? real->szOsFile : (int)sizeof(Handle);
    vfs.xOpen = vfsOpen;
    vfs.xDelete = vfsDelete;
    vfs.xAccess = vfsAccess;
    vfs.xFullPathname = vfsFullPathname;
    vfs.xRandomness = vfsRandomness;
    int code = sqlite3_vfs_register(&vfs, 1);
    if (code != SQLITE_OK) return code;
  }
  int code = sqlite3_create_function(db, "simdisk", -1, SQLITE_UTF8, 0, control, 0, 0);
  return code == SQLITE_OK ? SQLITE_OK_LOAD_PERMANENTLY : code;
}
