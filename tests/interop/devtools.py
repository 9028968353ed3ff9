# SPDX-License-Identifier: Apache-2.0
"""Just enough of the DevTools protocol to open a page and run script in it: one WebSocket to one
page, text messages only, one command at a time. Standard library only."""

import base64
import http.client
import json
import os
import socket
import struct
import time

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class DevToolsError(Exception):
    pass


class CommandError(DevToolsError):
    """The browser is well, and said no to a command."""


class Page:
    """The first page of the browser that wrote DevToolsActivePort into profile."""

    def __init__(self, profile, timeout=30):
        port = _port(profile, timeout)
        target = _first_page(port, timeout)
        path = target["webSocketDebuggerUrl"].split(str(port), 1)[1]
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._buffer = b""
        self._last_id = 0
        self._handshake(port, path)

    def close(self):
        self._socket.close()

    def open(self, url, ready, timeout=30):
        """Navigates, then waits until the expression ready is true in the new page."""
        self._command("Page.navigate", {"url": url}, timeout)
        deadline = time.monotonic() + timeout
        while not self._is_true(ready, timeout):
            if time.monotonic() > deadline:
                raise DevToolsError(f"{url} is not ready after {timeout} s")
            time.sleep(0.05)

    def evaluate(self, expression, timeout=30):
        """The value of a script expression; a promise is awaited."""
        wanted = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        result = self._command("Runtime.evaluate", wanted, timeout)
        if "exceptionDetails" in result:
            raise CommandError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def _is_true(self, expression, timeout):
        try:
            return self.evaluate(expression, timeout)
        except CommandError:
            return False  # the old page went away below it

    def _command(self, method, params, timeout):
        self._last_id += 1
        self._socket.settimeout(timeout)
        message = {"id": self._last_id, "method": method, "params": params}
        self._send(TEXT, json.dumps(message).encode())
        while True:
            answer = json.loads(self._receive_text())
            if answer.get("id") != self._last_id:
                continue  # an event, or the late answer to a command that timed out
            if "error" in answer:
                raise CommandError(f"{method}: {answer['error']}")
            return answer["result"]

    def _handshake(self, port, path):
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            raise DevToolsError(f"no WebSocket: {head!r}")

    def _fill(self):
        more = self._socket.recv(65536)
        if not more:
            raise DevToolsError("the browser closed the connection")
        self._buffer += more

    def _take(self, n):
        while len(self._buffer) < n:
            self._fill()
        taken, self._buffer = self._buffer[:n], self._buffer[n:]
        return taken

    def _send(self, opcode, payload):
        n = len(payload)
        if n < 126:
            head = struct.pack(">BB", 0x80 | opcode, 0x80 | n)
        elif n < 65536:
            head = struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, n)
        else:
            head = struct.pack(">BBQ", 0x80 | opcode, 0x80 | 127, n)
        mask = os.urandom(4)  # clients must mask
        masked = bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
        self._socket.sendall(head + mask + masked)

    def _receive_text(self):
        text = b""
        while True:
            first, n = struct.unpack(">BB", self._take(2))
            if n == 126:
                (n,) = struct.unpack(">H", self._take(2))
            elif n == 127:
                (n,) = struct.unpack(">Q", self._take(8))
            payload = self._take(n)
            opcode = first & 0x0F
            if opcode == PING:
                self._send(PONG, payload)
            elif opcode == CLOSE:
                raise DevToolsError("the browser closed the WebSocket")
            elif opcode != PONG:
                text += payload
                if first & 0x80:
                    return text


def _port(profile, timeout):
    deadline = time.monotonic() + timeout
    while True:
        try:
            with open(os.path.join(profile, "DevToolsActivePort"), encoding="ascii") as f:
                lines = f.read().split("\n")
            if len(lines) >= 2:  # the file is whole
                return int(lines[0])
        except FileNotFoundError:
            pass
        if time.monotonic() > deadline:
            raise DevToolsError(f"the browser opened no DevTools port in {timeout} s")
        time.sleep(0.05)


def _first_page(port, timeout):
    deadline = time.monotonic() + timeout
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        connection.request("GET", "/json/list")
        targets = json.loads(connection.getresponse().read())
        connection.close()
        pages = [t for t in targets if t["type"] == "page"]
        if pages:
            return pages[0]
        if time.monotonic() > deadline:
            raise DevToolsError(f"the browser has no page after {timeout} s")
        time.sleep(0.05)
