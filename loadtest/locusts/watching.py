"""The sale as operators and the public see it, looked at once a second while a round runs, for the web UI's tab."""

from __future__ import annotations

import time
from collections.abc import Sequence

import gevent
from yarl import URL

from loadtest.crowd.line import LineDocument, line_from
from loadtest.locusts.board import Board, Sight
from loadtest.wires.greenlets import GreenletWire, finish
from loadtest.wires.port import NOTHING_CAME, Body

LOOK_S = 1.0


class Watcher:
    def __init__(
        self, wire: GreenletWire, board: Board, *, line: URL, sale: str, admin_urls: Sequence[str], admin_key: str
    ) -> None:
        """Without admin URLs the stock is known only as bands."""
        self._wire = wire
        self._board = board
        self._line = line
        self._admin = [URL(url) / "admin/v1/sales" / sale for url in admin_urls]
        self._headers = {"Authorization": f"Bearer {admin_key}"}

    def run(self) -> None:
        while True:
            self.look()
            gevent.sleep(LOOK_S)

    def look(self) -> None:
        """One look; what does not answer leaves a gap."""
        line, stock = self._public(), self._stock()
        lanes = line.lanes.values() if line else ()
        self._board.sights.append(
            Sight(
                wall_s=time.time(),
                stock={row["sku"]: (row["free"], row["held"], row["sold"]) for row in stock},
                bands=line.bands if line else {},
                waiting=sum(lane.waiting for lane in lanes) if lanes else None,
                called=sum(lane.head for lane in lanes) if lanes else None,
                rate_per_s=sum(lane.rate_per_s for lane in lanes) if lanes else None,
                phase=_phase(line) if line else "",
            )
        )

    def _public(self) -> LineDocument | None:
        body = self._get(self._line, {})
        return None if body is None else line_from(body)

    def _stock(self) -> list[Body]:
        for url in self._admin:
            body = self._get(url, self._headers)
            if body is not None and body["stock"]:
                return list(body["stock"])
        return []

    def _get(self, url: URL, headers: dict[str, str]) -> Body | None:
        try:
            reply = finish(self._wire.once("GET", url, headers=headers))
        except NOTHING_CAME:
            return None
        return reply.body if reply.status == 200 else None


def _phase(line: LineDocument) -> str:
    if line.is_over:
        return "over"
    if line.phase == "live" and not line.is_open:
        return "paused"
    return line.phase
