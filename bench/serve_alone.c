/* SPDX-License-Identifier: Apache-2.0 */
/* `tracewire serve` without the other commands: what a system that only traces has to keep. */
#include "tool/tool.h"

int main(int argc, char **argv)
{
    return tw_cmd_serve(argc, argv);
}
