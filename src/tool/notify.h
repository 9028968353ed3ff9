/* SPDX-License-Identifier: Apache-2.0 */
/* What the service manager is told, when NOTIFY_SOCKET names one (sd_notify's protocol). */
#pragma once

/* A socket to it, to be opened before the sandbox forbids that; -1 when there is none. */
int tw_notify_open(void);
/* Tells it. -1 is fine. */
void tw_notify(int fd, const char *state);
