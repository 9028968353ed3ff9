# SPDX-License-Identifier: Apache-2.0
"""The messages of the relay port: each empty, each with every field of its own."""

from vectors.encode import Wide, b, u
from vectors.topic import Topic

relay_port = Topic("relay", "relay-port.json", "messages of the relay port")

METHODS = ("InitRelay", "SyncClock")
U32, U64 = 2**32 - 1, 2**64 - 1
PING, UPDATE = 1, 2

SYSTEM = (b(1, b(1, b"Linux") + b(2, b"#1 SMP") + b(3, b"6.1.0") + b(4, b"aarch64")) +
          b(2, b"build/fingerprint") + u(3, 100) + b(4, b"v58.2") + u(5, 34) + u(6, 16384) +
          u(7, -300) + u(8, 8) + b(9, b"soc") + b(10, b"revision") + b(11, b"storage") +
          b(12, b"ram") + b(13, b"guest") + b(14, b"maker") + b(15, b"ttyS0") + u(16, 2**34) +
          b(17, b"second"))
SYSTEM_VALUE = {
    "utsname": {"sysname": b"Linux", "version": b"#1 SMP", "release": b"6.1.0",
                "machine": b"aarch64"},
    "android_build_fingerprint": b"build/fingerprint", "hz": Wide(100),
    "tracing_service_version": b"v58.2", "android_sdk_version": Wide(34), "page_size": 16384,
    "timezone_off_mins": -300, "num_cpus": 8, "android_soc_model": b"soc",
    "android_hardware_revision": b"revision", "android_storage_model": b"storage",
    "android_ram_model": b"ram", "android_guest_soc_model": b"guest",
    "android_device_manufacturer": b"maker", "android_serial_console": b"ttyS0",
    "system_ram_bytes": Wide(2**34), "machine_name": b"second",
}


def empty_ones():
    for number, name in enumerate(METHODS):
        relay_port.message(1 + 2 * number, "TW-ENC-016", f"No arguments of {name}: all absent.",
                           f"{name}Request", b"", {}, canonical=True)
        relay_port.message(2 + 2 * number, "TW-ENC-016", f"An empty reply of {name}.",
                           f"{name}Response", b"", {}, canonical=True)


def whole(number, about, name, data, value):
    relay_port.message(number, "TW-ENC-011", about, name, data, value, canonical=True)


def machine():
    name = "InitRelayRequest"
    whole(10, "A relay tells of its machine, with every field.", name, b(1, SYSTEM),
          {"system_info": SYSTEM_VALUE})
    whole(11, "A machine of which only the kernel is known.", name, b(1, b(1, b(1, b"Linux"))),
          {"system_info": {"utsname": {"sysname": b"Linux"}}})
    whole(12, "A machine of which nothing is known.", name, b(1), {"system_info": {}})


def clocks():
    name = "SyncClockRequest"
    whole(20, "The first of a pair, with three clocks.", name,
          u(1, PING) + b"".join(b(2, u(1, i) + u(2, 10**9 * i)) for i in (6, 3, 1)),
          {"phase": PING, "clocks": [{"clock_id": i, "timestamp": Wide(10**9 * i)}
                                     for i in (6, 3, 1)]})
    whole(21, "The second, with one.", name, u(1, UPDATE) + b(2, u(1, 6) + u(2, 6 * 10**9 + 1)),
          {"phase": UPDATE, "clocks": [{"clock_id": 6, "timestamp": Wide(6 * 10**9 + 1)}]})
    whole(22, "Numbers at their limits: whether they make sense is not the encoding's matter.", name,
          b(2, u(1, U32) + u(2, U64)) + b(2),
          {"clocks": [{"clock_id": U32, "timestamp": Wide(U64)}, {}]})
    relay_port.message(23, "TW-ENC-014", "A phase that the schema does not have.", name, u(1, 3),
                       {"phase": 3})
    relay_port.message(24, "TW-ENC-006", "Clocks before the phase, and a field that nobody knows.",
                       name, b(2, u(2, 5) + u(1, 6)) + u(9, 1) + u(1, PING),
                       {"phase": PING, "clocks": [{"clock_id": 6, "timestamp": Wide(5)}]})


empty_ones()
machine()
clocks()
