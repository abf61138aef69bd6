/* A sink that keeps objects in memory, in plain C: for the tests, and to show how one is written. */
#ifndef MEMORY_SINK_H
#define MEMORY_SINK_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "seaworthy.h"

typedef struct object {
    struct object *next;
    char *key;
    unsigned char *data;
    size_t len, room;
    int64_t modified;
    int if_absent;
} object;

typedef struct memory {
    pthread_mutex_t lock;
    object *objects;
    int uploads;   /* how many are on their way */
    int finalized; /* how often the finalizer ran */
    int full;      /* writes fail from now on */
} memory;

static object *memory_find(memory *m, const char *key) {
    object *o = m->objects;
    while (o && strcmp(o->key, key) != 0) o = o->next;
    return o;
}

static void object_free(object *o) {
    free(o->key);
    free(o->data);
    free(o);
}

static void memory_drop(memory *m, const char *key) {
    object **at = &m->objects;
    while (*at && strcmp((*at)->key, key) != 0) at = &(*at)->next;
    if (*at) {
        object *gone = *at;
        *at = gone->next;
        object_free(gone);
    }
}

static int32_t memory_fail(int32_t code, const char *message, sw_error **error) {
    sw_error_new(code, message, strlen(message), error);
    return code;
}

static int32_t memory_begin(void *user_data, const char *key, size_t key_len,
                            const sw_put_options *options, uint64_t *upload, sw_error **error) {
    memory *m = (memory *)user_data;
    object *o = (object *)calloc(1, sizeof *o);
    if (!o || !(o->key = (char *)malloc(key_len + 1))) {
        free(o);
        return memory_fail(SW_E_NO_SPACE, "out of memory", error);
    }
    memcpy(o->key, key, key_len + 1);
    o->if_absent = options->if_absent != 0;
    pthread_mutex_lock(&m->lock);
    m->uploads++;
    pthread_mutex_unlock(&m->lock);
    *upload = (uint64_t)(uintptr_t)o;
    return SW_OK;
}

static int32_t memory_write(void *user_data, uint64_t upload, const uint8_t *data, size_t len,
                            sw_error **error) {
    object *o = (object *)(uintptr_t)upload;
    if (((memory *)user_data)->full) return memory_fail(SW_E_NO_SPACE, "the memory is full", error);
    if (o->len + len > o->room) {
        size_t room = (o->len + len) * 2;
        unsigned char *larger = (unsigned char *)realloc(o->data, room);
        if (!larger) return memory_fail(SW_E_NO_SPACE, "out of memory", error);
        o->data = larger;
        o->room = room;
    }
    if (len) memcpy(o->data + o->len, data, len);
    o->len += len;
    return SW_OK;
}

static int32_t memory_commit(void *user_data, uint64_t upload, sw_object_info *info,
                             sw_error **error) {
    memory *m = (memory *)user_data;
    object *o = (object *)(uintptr_t)upload;
    int32_t code = SW_OK;
    pthread_mutex_lock(&m->lock);
    m->uploads--;
    if (o->if_absent && memory_find(m, o->key)) {
        code = memory_fail(SW_E_ALREADY_EXISTS, "the object is there", error);
        object_free(o);
    } else {
        memory_drop(m, o->key);
        o->modified = (int64_t)time(NULL);
        o->next = m->objects;
        m->objects = o;
        info->length = o->len;
        info->modified = o->modified;
    }
    pthread_mutex_unlock(&m->lock);
    return code;
}

static int32_t memory_abort(void *user_data, uint64_t upload, sw_error **error) {
    memory *m = (memory *)user_data;
    (void)error;
    pthread_mutex_lock(&m->lock);
    m->uploads--;
    pthread_mutex_unlock(&m->lock);
    object_free((object *)(uintptr_t)upload);
    return SW_OK;
}

static int32_t memory_read(void *user_data, const char *key, size_t key_len, uint64_t offset,
                           uint8_t *buffer, size_t capacity, size_t *filled, sw_error **error) {
    memory *m = (memory *)user_data;
    int32_t code = SW_OK;
    object *o;
    (void)key_len;
    pthread_mutex_lock(&m->lock);
    o = memory_find(m, key);
    if (!o) {
        code = memory_fail(SW_E_NOT_FOUND, "no such object", error);
    } else if (offset < o->len) {
        *filled = o->len - (size_t)offset < capacity ? o->len - (size_t)offset : capacity;
        memcpy(buffer, o->data + offset, *filled);
    }
    pthread_mutex_unlock(&m->lock);
    return code;
}

static int32_t memory_stat(void *user_data, const char *key, size_t key_len, sw_object_info *info,
                           sw_error **error) {
    memory *m = (memory *)user_data;
    int32_t code = SW_OK;
    object *o;
    (void)key_len;
    pthread_mutex_lock(&m->lock);
    o = memory_find(m, key);
    if (o) {
        info->length = o->len;
        info->modified = o->modified;
    } else {
        code = SW_E_NOT_FOUND;
        (void)error; /* a code alone will do */
    }
    pthread_mutex_unlock(&m->lock);
    return code;
}

static int32_t memory_list(void *user_data, const char *prefix, size_t prefix_len,
                           sw_string **listing, sw_error **error) {
    memory *m = (memory *)user_data;
    size_t room = 3, len = 0;
    object *o;
    char *json;
    pthread_mutex_lock(&m->lock);
    for (o = m->objects; o; o = o->next) room += strlen(o->key) + 100;
    json = (char *)malloc(room);
    if (!json) {
        pthread_mutex_unlock(&m->lock);
        return memory_fail(SW_E_NO_SPACE, "out of memory", error);
    }
    json[len++] = '[';
    for (o = m->objects; o; o = o->next) {
        int below = strncmp(o->key, prefix, prefix_len) == 0 &&
                    (prefix_len == 0 || o->key[prefix_len] == '/');
        if (!below) continue;
        len += (size_t)snprintf(json + len, room - len,
                                "%s{\"key\":\"%s\",\"length\":%lu,\"modified\":%ld}",
                                len > 1 ? "," : "", o->key, (unsigned long)o->len,
                                (long)o->modified);
    }
    pthread_mutex_unlock(&m->lock);
    json[len++] = ']';
    sw_string_new(json, len, listing);
    free(json);
    return SW_OK;
}

static int32_t memory_delete(void *user_data, const char *key, size_t key_len, sw_error **error) {
    memory *m = (memory *)user_data;
    (void)key_len;
    (void)error;
    pthread_mutex_lock(&m->lock);
    memory_drop(m, key);
    pthread_mutex_unlock(&m->lock);
    return SW_OK;
}

static void memory_finalize(void *user_data) {
    memory *m = (memory *)user_data;
    while (m->objects) memory_drop(m, m->objects->key);
    m->finalized++;
}

static sw_sink memory_sink(memory *m) {
    sw_sink sink;
    memset(&sink, 0, sizeof sink);
    memset(m, 0, sizeof *m);
    pthread_mutex_init(&m->lock, NULL);
    sink.size = sizeof sink;
    sink.capabilities = SW_SINK_DELETE | SW_SINK_IF_ABSENT;
    sink.user_data = m;
    sink.finalizer = memory_finalize;
    sink.begin = memory_begin;
    sink.write = memory_write;
    sink.commit = memory_commit;
    sink.abort = memory_abort;
    sink.read = memory_read;
    sink.stat = memory_stat;
    sink.list = memory_list;
    sink.delete_object = memory_delete;
    return sink;
}

#endif
