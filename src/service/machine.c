/* SPDX-License-Identifier: Apache-2.0 */
#include "service/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/bytes.h"
#include "base/req.h"

uint32_t tw_machine_id(struct tw_bytes hint)
{
    REQ("TW-RELAY-010");
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < hint.n; i++)
        hash = (hash ^ hint.p[i]) * UINT64_C(0x100000001b3);
    return (uint32_t)hash ? (uint32_t)hash : 1;
}

void tw_machine_identify(struct tw_service_conn *conn,
                         const struct tw_frame_peer_identity *identity)
{
    REQ("TW-NET-017");
    REQ("TW-LIM-122");
    struct tw_bytes name = identity->machine_name;

    conn->peer.pid = identity->pid;
    conn->peer.uid = identity->uid;
    conn->peer.machine_id = identity->machine_id_hint.n ? tw_machine_id(identity->machine_id_hint)
                                                        : conn->peer.address_id;
    conn->machine_name = strndup(name.n ? (const char *)name.p : "",
                                 tw_min(name.n, (size_t)TW_MACHINE_NAME_SIZE - 1));
    if (!conn->machine_name)
        tw_conn_doom(conn, "out of memory for a machine's name");
}

const char *tw_machine_name(const struct tw_service_conn *conn)
{
    if (!conn->peer.remote)
        return conn->service->machine_name;
    return conn->machine_name ? conn->machine_name : "";
}

void tw_machine_own_name(char name[TW_MACHINE_NAME_SIZE])
{
    const char *given = getenv("PERFETTO_MACHINE_NAME");
    struct utsname uts = {0};

    if (!given && uname(&uts) == 0)
        given = uts.sysname;
    snprintf(name, TW_MACHINE_NAME_SIZE, "%s", given ? given : "");
}
