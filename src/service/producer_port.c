/* SPDX-License-Identifier: Apache-2.0 */
/* ProducerPort: the methods a producer calls. */
#include "base/fd.h"
#include "base/req.h"
#include "service/commit.h"
#include "service/data_source.h"
#include "service/instance.h"
#include "service/producer.h"
#include "service/triggers.h"

/* Takes the memory that the producer says it brings, when that is what came. */
static bool adopt_shm(struct tw_producer *producer, const Tw__InitializeConnectionRequest *req,
                      int *fd)
{
    return req->has_producer_provided_shmem && req->producer_provided_shmem && *fd >= 0 &&
           !tw_producer_emulates(producer) && tw_producer_adopt_shm(producer, fd);
}

static void initialize_connection(struct tw_service_conn *conn, const struct tw_host_call *call,
                                  const ProtobufCMessage *msg)
{
    REQ("TW-PROD-001");
    REQ("TW-PROD-024");
    REQ("TW-PROD-025");
    REQ("TW-PROD-026");
    const Tw__InitializeConnectionRequest *req = (const void *)msg;
    Tw__InitializeConnectionResponse response = TW__INITIALIZE_CONNECTION_RESPONSE__INIT;
    struct tw_producer_hello hello = {
        .name = req->producer_name,
        .sdk_version = req->sdk_version,
        .scraping =
            req->has_smb_scraping_mode &&
            req->smb_scraping_mode ==
                TW__INITIALIZE_CONNECTION_REQUEST__PRODUCER_SMBSCRAPING_MODE__SMB_SCRAPING_ENABLED,
        .shm_size_hint =
            req->has_shared_memory_size_hint_bytes ? req->shared_memory_size_hint_bytes : 0,
        .page_size_hint = req->has_shared_memory_page_size_hint_bytes
                              ? req->shared_memory_page_size_hint_bytes
                              : 0,
    };
    int fd = tw_rx_take_fd(&conn->host.rx);
    struct tw_producer *producer;
    const char *why = "TW-PROD-001: the connection is initialised already";

    if (conn->producer || (why = tw_producer_new(conn, &hello, &producer))) {
        tw_fd_close(&fd);
        tw_call_refuse(conn, call, why);
        return;
    }
    response.has_using_shmem_provided_by_producer = true;
    response.using_shmem_provided_by_producer = adopt_shm(producer, req, &fd);
    response.has_direct_smb_patching_supported = response.direct_smb_patching_supported = true;
    response.has_use_shmem_emulation = true;
    response.use_shmem_emulation = tw_producer_emulates(producer);
    tw_fd_close(&fd);
    if (!call->drop_reply)
        tw_conn_reply(conn, call->request_id, &response.base, false, -1);
}

static void register_data_source(struct tw_service_conn *conn, const struct tw_host_call *call,
                                 const ProtobufCMessage *msg)
{
    const Tw__RegisterDataSourceRequest *req = (const void *)msg;
    Tw__RegisterDataSourceResponse response = TW__REGISTER_DATA_SOURCE_RESPONSE__INIT;
    const char *error;

    if (tw_data_source_register(conn->producer, req->data_source_descriptor, &error)) {
        tw_conn_explain(conn, error);
        response.error = tw_pbc_str(error);
    }
    if (!call->drop_reply)
        tw_conn_reply(conn, call->request_id, &response.base, false, -1);
}

static void update_data_source(struct tw_service_conn *conn, const struct tw_host_call *call,
                               const ProtobufCMessage *msg)
{
    const Tw__UpdateDataSourceRequest *req = (const void *)msg;
    const char *why = NULL;
    int rc = tw_data_source_update(conn->producer, req->data_source_descriptor);

    if (rc)
        why = rc < 0 ? "out of memory for the descriptor"
                     : "TW-LIM-034, TW-LIM-035: the descriptor is too large, or all of this "
                       "producer's together are";
    tw_call_settle(conn, call, why);
}

static void unregister_data_source(struct tw_service_conn *conn, const struct tw_host_call *call,
                                   const ProtobufCMessage *msg)
{
    const Tw__UnregisterDataSourceRequest *req = (const void *)msg;

    tw_data_source_unregister(conn->producer, req->data_source_name);
    tw_call_acknowledge(conn, call);
}

static void commit_data(struct tw_service_conn *conn, const struct tw_host_call *call,
                        const ProtobufCMessage *msg)
{
    (void)msg;
    if (tw_commit(conn->producer, call->args))
        tw_call_acknowledge(conn, call);
    else
        tw_call_refuse(conn, call, tw_malformed_args);
}

static void get_async_command(struct tw_service_conn *conn, const struct tw_host_call *call,
                              const ProtobufCMessage *msg)
{
    REQ("TW-PROD-010");
    REQ("TW-PROD-034");
    struct tw_producer *producer = conn->producer;

    (void)msg;
    if (call->drop_reply)
        return;
    if (producer->commands.wanted) { /* one stream a connection */
        tw_conn_refuse(conn, call->request_id,
                       "TW-PROD-034: the producer has an earlier GetAsyncCommand");
        return;
    }
    producer->commands = (struct tw_later){.wanted = true, .id = call->request_id};
    if (producer->shm_is_its_own && tw_producer_setup_shm(producer, 0, 0))
        tw_conn_doom(conn, "cannot set up shared memory");
    tw_producer_join_all(producer);
}

/* A writer of a buffer that the producer may not write to stays unbound: its session may have ended
 * while the call was on its way. */
static void register_trace_writer(struct tw_service_conn *conn, const struct tw_host_call *call,
                                  const ProtobufCMessage *msg)
{
    REQ("TW-PROD-030");
    const Tw__RegisterTraceWriterRequest *req = (const void *)msg;
    uint32_t buffer_id = req->has_target_buffer ? req->target_buffer : 0;

    if (req->has_trace_writer_id && tw_producer_may_write(conn->producer, buffer_id) &&
        tw_producer_bind_writer(conn->producer, req->trace_writer_id, (uint16_t)buffer_id) < 0)
        tw_conn_doom(conn, "out of memory for a writer");
    tw_call_acknowledge(conn, call);
}

static void unregister_trace_writer(struct tw_service_conn *conn, const struct tw_host_call *call,
                                    const ProtobufCMessage *msg)
{
    REQ("TW-PROD-030");
    const Tw__UnregisterTraceWriterRequest *req = (const void *)msg;

    if (req->has_trace_writer_id)
        tw_producer_end_writer(conn->producer, req->trace_writer_id);
    tw_call_acknowledge(conn, call);
}

static void data_source_started(struct tw_service_conn *conn, const struct tw_host_call *call,
                                const ProtobufCMessage *msg)
{
    REQ("TW-PROD-031");
    const Tw__NotifyDataSourceStartedRequest *req = (const void *)msg;

    if (req->has_data_source_id)
        tw_instance_started(conn->producer, req->data_source_id);
    tw_call_acknowledge(conn, call);
}

static void data_source_stopped(struct tw_service_conn *conn, const struct tw_host_call *call,
                                const ProtobufCMessage *msg)
{
    REQ("TW-PROD-031");
    const Tw__NotifyDataSourceStoppedRequest *req = (const void *)msg;

    if (req->has_data_source_id)
        tw_instance_stopped(conn->producer, req->data_source_id);
    tw_call_acknowledge(conn, call);
}

static void activate_triggers(struct tw_service_conn *conn, const struct tw_host_call *call,
                              const ProtobufCMessage *msg)
{
    REQ("TW-LIM-102");
    const Tw__ActivateTriggersRequest *req = (const void *)msg;

    if (req->n_trigger_names > TW_TRIGGER_NAMES_MAX) {
        tw_call_refuse(conn, call, "TW-LIM-102: too many triggers");
        return;
    }
    for (size_t i = 0; i < req->n_trigger_names; i++)
        tw_trigger_activate(conn->producer, req->trigger_names[i]);
    tw_call_acknowledge(conn, call);
}

static void sync_call(struct tw_service_conn *conn, const struct tw_host_call *call,
                      const ProtobufCMessage *msg)
{
    (void)msg;
    tw_call_acknowledge(conn, call);
}

const struct tw_port_handler tw_producer_handlers[TW_PRODUCER_METHOD_MAX] = {
    [TW_PRODUCER_INITIALIZE_CONNECTION] = {&tw__initialize_connection_request__descriptor,
                                           initialize_connection, false},
    [TW_PRODUCER_REGISTER_DATA_SOURCE] = {&tw__register_data_source_request__descriptor,
                                          register_data_source, false},
    [TW_PRODUCER_UNREGISTER_DATA_SOURCE] = {&tw__unregister_data_source_request__descriptor,
                                            unregister_data_source, false},
    [TW_PRODUCER_COMMIT_DATA] = {NULL, commit_data, true},
    [TW_PRODUCER_GET_ASYNC_COMMAND] = {&tw__get_async_command_request__descriptor,
                                       get_async_command, false},
    [TW_PRODUCER_REGISTER_TRACE_WRITER] = {&tw__register_trace_writer_request__descriptor,
                                           register_trace_writer, false},
    [TW_PRODUCER_UNREGISTER_TRACE_WRITER] = {&tw__unregister_trace_writer_request__descriptor,
                                             unregister_trace_writer, false},
    [TW_PRODUCER_NOTIFY_DATA_SOURCE_STARTED] = {&tw__notify_data_source_started_request__descriptor,
                                                data_source_started, false},
    [TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED] = {&tw__notify_data_source_stopped_request__descriptor,
                                                data_source_stopped, false},
    [TW_PRODUCER_ACTIVATE_TRIGGERS] = {&tw__activate_triggers_request__descriptor,
                                       activate_triggers, false},
    [TW_PRODUCER_SYNC] = {&tw__sync_request__descriptor, sync_call, false},
    [TW_PRODUCER_UPDATE_DATA_SOURCE] = {&tw__update_data_source_request__descriptor,
                                        update_data_source, false},
};
