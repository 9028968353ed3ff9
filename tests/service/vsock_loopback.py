# SPDX-License-Identifier: Apache-2.0
"""Ends well when a process of this machine can reach another one over vsock."""

import socket

CID_LOCAL = 1

with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as listener:
    listener.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
    listener.listen()
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        client.connect((CID_LOCAL, listener.getsockname()[1]))
