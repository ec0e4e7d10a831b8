"""The calls that are not the merchant API: login, the buyer's phone, and the person who runs a drill.

`/sns/jscode2session` is WeChat's; `/_buyer/*` stands for what happens inside the buyer's WeChat app, `/_admin/*`
shows the truth and changes the luck. The last two are open to whoever reaches the port, which is why the
simulator listens on loopback unless told otherwise.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from engine.simulator import answers, buyer, faults, forms
from engine.simulator.callbacks import Callbacks
from engine.simulator.desk import Desk
from engine.simulator.faults import Faults
from engine.simulator.logins import Logins

_CALL_FIELDS = ("openid", "timeStamp", "nonceStr", "package", "signType", "paySign")


class House:
    """Answers everything outside /v3/. `change_faults` puts new knobs in force."""

    def __init__(
        self,
        *,
        desk: Desk,
        logins: Logins,
        callbacks: Callbacks,
        faults: Callable[[], Faults],
        change_faults: Callable[[Faults], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._desk = desk
        self._logins = logins
        self._callbacks = callbacks
        self._faults = faults
        self._put_in_force = change_faults
        self._now_ms = now_ms
        self._routes: Mapping[str, Mapping[str, Callable[[web.BaseRequest], Awaitable[web.Response]]]] = {
            "/livez": {"GET": self._livez},
            "/sns/jscode2session": {"GET": self._session},
            "/_buyer/login": {"POST": self._login},
            "/_buyer/pay": {"POST": self._tap},
            "/_admin/ledger": {"GET": self._show_ledger},
            "/_admin/callbacks": {"GET": self._show_callbacks},
            "/_admin/faults": {"GET": self._show_faults, "PUT": self._change_faults},
            "/_admin/pay": {"POST": self._pay_anyway},
        }

    async def serve(self, request: web.BaseRequest, path: str) -> web.Response:
        methods = self._routes.get(path)
        if methods is None:
            return answers.empty(404)
        handler = methods.get(request.method)
        return answers.empty(405) if handler is None else await handler(request)

    async def _session(self, request: web.BaseRequest) -> web.Response:
        query = dict(parse_qsl(request.raw_path.partition("?")[2]))
        return answers.login(self._logins.session(query, now_ms=self._now_ms()))

    # The buyer's phone

    async def _login(self, request: web.BaseRequest) -> web.Response:
        document = await _object(request)
        openid = document.get("openid")
        if not isinstance(openid, str) or not forms.OPENID.fullmatch(openid):
            return _invalid("openid", "must be an o followed by 27 of 0-9 A-Z a-z _ -")
        return answers.plain({"code": self._logins.code(openid, now_ms=self._now_ms())})

    async def _tap(self, request: web.BaseRequest) -> web.Response:
        document = await _object(request)
        values = [value for name in _CALL_FIELDS if isinstance(value := document.get(name), str)]
        if len(values) != len(_CALL_FIELDS):
            return _invalid(", ".join(_CALL_FIELDS), "must all be texts")
        try:
            behaviour = buyer.Behaviour(document.get("behaviour", buyer.Behaviour.PAY))
        except ValueError:
            return _invalid("behaviour", f"must be one of {', '.join(buyer.Behaviour)}")
        result, transaction_id = self._desk.tap(buyer.PaymentCall(*values), behaviour)
        told: dict[str, object] = {"result": result}
        if transaction_id is not None:
            told["transaction_id"] = transaction_id
        return answers.plain(told)

    # The person who runs the drill

    async def _livez(self, _: web.BaseRequest) -> web.Response:
        return answers.plain({"status": "ok"})

    async def _show_ledger(self, _: web.BaseRequest) -> web.Response:
        return answers.plain({"orders": self._desk.statement()})

    async def _show_callbacks(self, _: web.BaseRequest) -> web.Response:
        return answers.plain(asdict(self._callbacks.tally))

    async def _show_faults(self, _: web.BaseRequest) -> web.Response:
        return answers.plain(self._faults().document())

    async def _change_faults(self, request: web.BaseRequest) -> web.Response:
        """Knobs that are named change, the others stay; answers all that are in force."""
        try:
            self._put_in_force(faults.read(await _parsed(request), self._faults()))
        except faults.FaultsError as error:
            return answers.plain({"problems": error.problems}, status=400)
        return answers.plain(self._faults().document())

    async def _pay_anyway(self, request: web.BaseRequest) -> web.Response:
        out_trade_no = (await _object(request)).get("out_trade_no")
        paid = self._desk.pay_anyway(out_trade_no) if isinstance(out_trade_no, str) else None
        if paid is None:
            return answers.plain({"problems": ["out_trade_no: nobody placed this order"]}, status=404)
        return answers.plain({"result": "ok", "transaction_id": paid.transaction_id})


async def _parsed(request: web.BaseRequest) -> object:
    """The JSON of a buyer or admin call, or None when it is not JSON."""
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        return None


async def _object(request: web.BaseRequest) -> Mapping[str, Any]:
    """The JSON object of a buyer or admin call; anything else reads as an empty one."""
    document = await _parsed(request)
    return document if isinstance(document, dict) else {}


def _invalid(field: str, reason: str) -> web.Response:
    return answers.plain({"problems": [f"{field}: {reason}"]}, status=400)
