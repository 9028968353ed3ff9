/* SPDX-License-Identifier: Apache-2.0 */
/* The ways into the service: what is called meanwhile can be made to fail. */
#include <unistd.h>

#include "fuzz/faults.h"
#include "service/trace_buffer.h"
#include "tests/faults/scope.h"
#include "tracewire/service.h"

static struct tw_service_conn *faults_handed_in(struct tw_service_conn *conn, const int *fds,
                                                size_t n_fds)
{
    if (!conn) { /* the test's mistake, not the service's: it ends outside */
        faults_leave();
        _exit(1);
    }
    faults_hand_in(fds, n_fds);
    return conn;
}

/* It takes the parameters for products. */
/* clang-format off */
SCOPE(int, tw_service_new,
      (struct tw_service **ret_service, const struct tw_service_options *options),
      (ret_service, options))
SCOPE_VOID(tw_service_free, (struct tw_service *service), (service))
SCOPE_VOID(tw_service_tick, (struct tw_service *service), (service))
SCOPE(int, tw_service_connect,
      (struct tw_service *service, enum tw_service_port port, struct tw_peer peer,
       void (*wake)(void *user), void *user, struct tw_service_conn **ret_conn),
      (service, port, peer, wake, user, ret_conn))
SCOPE_VOID(tw_service_disconnect, (struct tw_service_conn *conn), (conn))
SCOPE_VOID(tw_service_space, (struct tw_service_conn *conn, uint8_t **ret_p, size_t *ret_n),
           (faults_handed_in(conn, NULL, 0), ret_p, ret_n))
SCOPE_VOID(tw_service_received,
           (struct tw_service_conn *conn, size_t n, const int *fds, size_t n_fds),
           (faults_handed_in(conn, fds, n_fds), n, fds, n_fds))
SCOPE(int, tw_service_run, (struct tw_service_conn *conn), (faults_handed_in(conn, NULL, 0)))
SCOPE_VOID(tw_service_sent, (struct tw_service_conn *conn, size_t n), (conn, n))

SCOPE(int, tw_trace_buffer_new,
      (struct tw_trace_buffer **ret_buffer, uint64_t size, enum tw_fill_policy policy),
      (ret_buffer, size, policy))
SCOPE(int, tw_trace_buffer_clone,
      (const struct tw_trace_buffer *tb, struct tw_trace_buffer **ret_clone), (tb, ret_clone))
SCOPE_VOID(tw_trace_buffer_free, (struct tw_trace_buffer *tb), (tb))
