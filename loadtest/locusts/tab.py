"""The web UI's extra tab: goodput by kind, stock and line, as they are now, in English and Chinese.

Locust's own way to extend its UI gives a tab with a table; the table is the goodput by kind. Charts, stock and line
are drawn below it by a script of ours that asks `/floodgate/live` once a second. The same view stands alone at
`/floodgate`, for a second screen.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from flask import Blueprint, Response, request

from loadtest.locusts.view import View
from loadtest.report.words import KINDS

if TYPE_CHECKING:
    from locust.web import WebUI

    from loadtest.locusts.director import Director
    from loadtest.locusts.player import Player

WEB = Path(__file__).parent / "web"
TITLE = "Floodgate 抢票"
KEY = "floodgate"
COLUMNS = (
    ("kind", "Goodput 有效结果"),
    ("now", "a second, now 每秒"),
    ("peak", "a second, at most 峰值"),
    ("total", "in all 合计"),
)


def add(web_ui: WebUI, director: Director, *, local: Player | None) -> None:
    """`local` plays in this process; it is asked for its newest seconds."""
    app = web_ui.app
    assert app is not None
    base = web_ui.environment.parsed_options.web_base_path if web_ui.environment.parsed_options else ""
    view = View(director, local=local)
    pages = Blueprint(KEY, __name__, url_prefix=base or None)

    def live() -> Response:
        return Response(orjson.dumps(view.live()), content_type="application/json")

    def page() -> Response:
        return Response((WEB / "live.html").read_text(encoding="utf-8"), content_type="text/html; charset=utf-8")

    def script() -> Response:
        return Response((WEB / "live.js").read_text(encoding="utf-8"), content_type="text/javascript; charset=utf-8")

    def style() -> Response:
        return Response((WEB / "live.css").read_text(encoding="utf-8"), content_type="text/css; charset=utf-8")

    for path, shown in (("/live", live), ("", page), ("/live.js", script), ("/live.css", style)):
        guarded = web_ui.auth_required_if_enabled(shown)  # type: ignore[no-untyped-call]
        pages.add_url_rule(f"/{KEY}{path}", endpoint=shown.__name__, view_func=guarded)
    app.register_blueprint(pages)

    @app.after_request
    def extend(response: Response) -> Response:
        here = request.path.removeprefix(base or "")
        if here == "/stats/requests" and response.is_json:
            _add_table(response, view)
        elif here in ("", "/") and response.mimetype == "text/html":
            _add_script(response)
        return response

    web_ui.template_args |= {
        "extended_tabs": [{"title": TITLE, "key": KEY}],
        "extended_tables": [{"key": KEY, "structure": [{"key": key, "title": title} for key, title in COLUMNS]}],
    }


def _add_table(response: Response, view: View) -> None:
    rows = [{"kind": f"{KINDS[kind].en} {KINDS[kind].zh}", **one.row()} for kind, one in view.goodput().items()]
    document: dict[str, Any] = response.get_json()
    response.set_data(orjson.dumps({**document, "extended_stats": [{"key": KEY, "data": rows}]}))


def _add_script(response: Response) -> None:
    tags = (
        f'<link rel="stylesheet" href="./{KEY}/live.css">'
        f'<section id="floodgate" data-tab="{TITLE}" hidden></section><script src="./{KEY}/live.js"></script></body>'
    )
    response.set_data(response.get_data(as_text=True).replace("</body>", tags))
