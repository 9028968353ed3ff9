/* SPDX-License-Identifier: Apache-2.0 */
/* One session that the service writes to a file. */
#pragma once

#include "tests/service/rig.h"

enum { PERIOD_MS = 1000 };

struct file_scene {
    struct rig rig;
    struct rig_peer *producer, *consumer;
    Tw__TraceConfig *config;
    uint64_t enable_id;
    uint16_t buffer;
    uint32_t chunk_id;
};

/* With the directory that an output_path is made in, NULL when none is allowed. */
void file_scene(struct file_scene *s, const char *output_dir);
/* The end of it, and of a descriptor. */
void file_end(struct file_scene *s, int read_fd);
/* EnableTracing with this descriptor, which is taken. */
void file_enable(struct file_scene *s, int fd);
void file_emit(struct file_scene *s, const char *text);
void file_disable(struct file_scene *s);
/* The answer to EnableTracing: NULL until the session has ended. */
Tw__EnableTracingResponse *file_ended(struct file_scene *s);
/* Its error; "" is none. */
const char *file_error(struct file_scene *s);
/* A file, and a second descriptor to read it by. */
int file_new(int *ret_read);
/* The packets of a Trace message, as rig_read() has them. */
struct rig_trace file_trace_of(struct file_scene *s, struct tw_bytes bytes);
/* Those that the file has so far. */
struct rig_trace file_trace(struct file_scene *s, int fd);
/* How many packets with this text there are; the file is a whole message at any time. */
size_t file_found(struct file_scene *s, int fd, const char *text);
