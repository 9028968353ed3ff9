/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Tells the service manager, when NOTIFY_SOCKET names one (sd_notify's protocol). */
void tw_notify(const char *state);
