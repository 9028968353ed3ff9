/* SPDX-License-Identifier: Apache-2.0 */
/* Names every function of libtracewire-frame: it links, so the library has them all. symbols.py
 * compares the list with the header and the symbol map. */
#include <stdio.h>

#include "tracewire/frame.h"

static void (*const api[])(void) = {
    (void (*)(void))tw_frame_decode,      (void (*)(void))tw_frame_encode,
    (void (*)(void))tw_frame_next,        (void (*)(void))tw_frame_next_method,
    (void (*)(void))tw_frame_reason_name, (void (*)(void))tw_frame_reason_text,
    (void (*)(void))tw_frame_size,        (void (*)(void))tw_frame_split,
};

int main(void)
{
    for (size_t i = 0; i < sizeof(api) / sizeof(api[0]); i++)
        if (!api[i])
            return 1;
    printf("%zu functions\n", sizeof(api) / sizeof(api[0]));
    return 0;
}
