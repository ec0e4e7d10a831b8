"""The line document as Server-Sent Events, for web clients that cannot wait to poll.

All streams of a sale get the same bytes, at most one event a second, and only when something but the time has changed.
A client that lost its connection comes back by itself; the first event is always the whole document, so nothing needs
to be made up for. Mini programs have no EventSource: polling is what everybody else does.
"""

from dataclasses import dataclass, field

from engine import telemetry
from engine.line.front.document import LineDocument
from engine.web.streaming import Stream

EVENT_EVERY_S = 1.0
HEARTBEAT_EVERY_S = 15.0  # below the minute after which proxies give up on a silent connection
HEARTBEAT = b": still here\n\n"
RETRY = b"retry: 3000\n"  # ms


def event_of(document: LineDocument) -> bytes:
    """The document as one event; its id is the entity tag."""
    return b"id: " + document.etag.strip('"').encode() + b"\nevent: line\ndata: " + document.body + b"\n\n"


@dataclass(slots=True)
class _Audience:
    streams: set[Stream] = field(default_factory=set)
    told: bytes = b""  # the gist of the last event
    told_at_s: float = 0.0
    wrote_at_s: float = 0.0


class LineStreams:
    """Everybody who listens in this worker: at most `streams_max`."""

    def __init__(self, *, streams_max: int) -> None:
        self._streams_max = streams_max
        self._audiences: dict[str, _Audience] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def open(self, sale_id: str, document: LineDocument) -> Stream | None:
        """A stream that begins with this document; None when there are too many."""
        if self._count >= self._streams_max:
            return None
        audience = self._audiences.setdefault(sale_id, _Audience())

        def ended(stream: Stream) -> None:
            audience.streams.discard(stream)
            self._count -= 1
            telemetry.LINE_STREAMS.set(self._count)

        stream = Stream(RETRY + event_of(document), ended=ended)
        audience.streams.add(stream)
        self._count += 1
        telemetry.LINE_STREAMS.set(self._count)
        return stream

    def publish(self, sale_id: str, document: LineDocument, now_s: float) -> None:
        """Tell everybody who listens to this sale, if there is anything to tell. Called a few times a second."""
        audience = self._audiences.get(sale_id)
        if audience is None or not audience.streams:
            return
        if document.gist != audience.told and now_s - audience.told_at_s >= EVENT_EVERY_S:
            audience.told, audience.told_at_s = document.gist, now_s
            piece = event_of(document)
        elif now_s - audience.wrote_at_s >= HEARTBEAT_EVERY_S:
            piece = HEARTBEAT
        else:
            return
        audience.wrote_at_s = now_s
        for stream in audience.streams:
            stream.send(piece)
