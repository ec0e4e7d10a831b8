"""The web UI's extra tab: goodput by kind, stock and line, as they are now."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locust.web import WebUI

    from loadtest.locusts.director import Director
    from loadtest.locusts.player import Player


def add(web_ui: WebUI, director: Director, *, local: Player | None) -> None:
    """`local` plays in this process; it is asked for its newest seconds."""
