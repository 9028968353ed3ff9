/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the pre-scan may do with a field at once, knowing only the first byte of its tag: a table
 * of TW_PLAN_TAGS bytes for each message of the schema, made by cmake/plan.awk. The descriptor
 * points to it with reserved1, of which protobuf-c 1.4.1 makes no use; without a plan it is NULL. A
 * test holds the tables to the descriptors, so that another protobuf-c would be noticed.
 *
 * Tags up to 255 are planned, fields up to 31. Of two bytes those from 128 on have a second 1, and
 * their first byte is, as it happens, the tag.
 */
#pragma once

enum { TW_PLAN_TAGS = 256 };

/* An entry is the kind of the field that has this tag, as its type wants it, and TW_PLAN_KINDS
 * times its place among the fields of its message. */
enum tw_plan_kind {
    TW_PLAN_NONE = 0, /* unknown, or of a sort that is rare: there is more to look at */
    TW_PLAN_NUMBER,   /* a varint; the last one counts */
    TW_PLAN_STRING,   /* the last one counts */
    TW_PLAN_STRINGS,  /* repeated */
    TW_PLAN_BYTES,    /* the last one counts */
    TW_PLAN_MESSAGE,  /* there once */
    TW_PLAN_MESSAGES, /* repeated */
    TW_PLAN_CHOICE,   /* a message of a oneof */
    TW_PLAN_KINDS,
};
