# SPDX-License-Identifier: Apache-2.0
"""What was lost of a storm of numbered marks, and whether all of it was told; the second decoder
reads the trace."""

import collections
import re

import service_state as wire

PREVIOUS_PACKET_DROPPED, SEQUENCE, STATS = 42, 10, 35  # fields of TracePacket
CHUNKS_OVERWRITTEN, WRITER_LOSS = 3, 19  # fields of BufferStats
OVERWRITE, WRITER_ABORT = 64, 128  # spec/trace-buffer.md
MARK = re.compile(rb"storm-(\d+)-")
CONFIG = """\
buffers {{ size_kb: {buffer_kb} fill_policy: RING_BUFFER }}
data_sources {{ config {{ name: "track_event" track_event_config {{ enabled_categories: "*" }} }} }}
write_into_file: true
file_write_period_ms: 100
duration_ms: 120000
"""
PRODUCER = """\
producers {{ producer_name: "{name}" shm_size_kb: {shm_kb} page_size_kb: 4 }}
"""


def config(producers, shm_kb, buffer_kb):
    return CONFIG.format(buffer_kb=buffer_kb) + "".join(
        PRODUCER.format(name=name, shm_kb=shm_kb) for name in producers)


class Losses:
    """The marks of one sequence, in the order of the file, against what its packets tell."""

    def __init__(self, trace):
        self.marks = []
        self.unexplained = []  # pairs of marks with something missing between and nothing told
        self.lost = 0
        self.told = collections.Counter()  # of all sequences, by bit
        self.stats = {}
        dropped = collections.defaultdict(int)  # by sequence, since its last mark
        self.sequences = set()
        with open(trace, "rb") as file:
            packets = wire.decode(file.read())[1]
        for packet in packets:
            self._add(packet, wire.decode(packet), dropped)

    def _add(self, raw, packet, dropped):
        sequence = packet.get(SEQUENCE, [0])[-1]
        bits = packet.get(PREVIOUS_PACKET_DROPPED, [0])[-1]
        if STATS in packet:
            self.stats = wire.decode(wire.one(packet[STATS][-1], 1))
        for bit in (OVERWRITE, WRITER_ABORT):
            self.told[bit] += bool(bits & bit)
        dropped[sequence] |= bits
        for number in MARK.findall(raw):
            self.sequences.add(sequence)
            self._mark(int(number), dropped[sequence])
            dropped[sequence] = 0

    def _mark(self, number, bits):
        last = self.marks[-1] if self.marks else -1
        missing = number - last - 1
        self.lost += missing
        if missing < 0 or (missing > 0 and not bits):
            self.unexplained.append((last, number))
        self.marks.append(number)

    def counted(self, field):
        return self.stats.get(field, [0])[-1]
