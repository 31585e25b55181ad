"""Cassettes: the traffic of runs with models and functions of the host, recorded in a file and replayed from it."""

from recipelang.backends.cassettes.document import CassetteProblem, Recorded, RecordedCall, RecordedRun, read_cassette
from recipelang.backends.cassettes.recording import Cassette, recording, recording_function
from recipelang.backends.cassettes.replaying import Replay, replaying, replaying_function

__all__ = [
    "Cassette",
    "CassetteProblem",
    "Recorded",
    "RecordedCall",
    "RecordedRun",
    "Replay",
    "read_cassette",
    "recording",
    "recording_function",
    "replaying",
    "replaying_function",
]
