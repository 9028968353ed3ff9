/* SPDX-License-Identifier: Apache-2.0 */
/* Encodes a bind and decodes it again. */
#include <stdio.h>
#include <tracewire/frame.h>

int main(void)
{
    struct tw_frame frame = {.kind = TW_FRAME_BIND, .request_id = 1}, back;
    uint8_t bytes[64];
    size_t n = 0;

    frame.bind.service_name = (struct tw_bytes){(const uint8_t *)"ConsumerPort", 12};
    if (tw_frame_encode(&frame, bytes, sizeof(bytes), &n) ||
        tw_frame_next((struct tw_bytes){bytes, n}, &back, &n, NULL))
        return 1;
    printf("bind %.*s\n", (int)back.bind.service_name.n, (const char *)back.bind.service_name.p);
    return back.kind == TW_FRAME_BIND ? 0 : 1;
}
