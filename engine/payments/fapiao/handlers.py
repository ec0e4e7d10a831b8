"""Fapiao over HTTP: the buyer's link and state, and the operator's list of what needs a person."""

from collections.abc import Callable

from engine.orders.reading import OrderReader
from engine.orders.records import is_order_no
from engine.payments.fapiao.desk import FapiaoDesk, NoFapiao
from engine.payments.fapiao.records import Fapiao
from engine.payments.fapiao.states import FAILED, State
from engine.payments.wechat.fapiao_answers import TitleLink
from engine.web.buyers import Buyers
from engine.web.http import Request, Response, answer, refuse
from engine.web.operators import Operators
from engine.web.problems import Code
from engine.web.routes import Route

LIST_COUNT_MAX = 200
STATES = frozenset(state.value for state in State)


class FapiaoRoutes:
    """What a buyer asks."""

    def __init__(self, desk: FapiaoDesk, reader: OrderReader, buyers: Buyers, *, now_s: Callable[[], int]) -> None:
        self._desk = desk
        self._reader = reader
        self._buyers = buyers
        self._now_s = now_s

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/v1/orders/{no}/fapiao", self.post_fapiao),
            Route("GET", "/v1/orders/{no}/fapiao", self.get_fapiao),
            Route("DELETE", "/v1/buyers/me/fapiao-titles", self.delete_titles),
        ]

    async def post_fapiao(self, request: Request, order_no: str) -> Response:
        """Where to fill in the title. Asking again gives a fresh link for the same fapiao."""
        buyer = await self._owner(request, order_no)
        if isinstance(buyer, Code):
            return refuse(request, buyer)
        link = await self._desk.ask(order_no, buyer)
        if isinstance(link, NoFapiao):
            return refuse(request, Code(link))
        return answer(link_document(link))

    async def get_fapiao(self, request: Request, order_no: str) -> Response:
        """The order's fapiao, the newest first."""
        buyer = await self._owner(request, order_no)
        if isinstance(buyer, Code):
            return refuse(request, buyer)
        found = await self._desk.read(order_no)
        return answer({"order_no": order_no, "fapiaos": [fapiao.document() for fapiao in found]})

    async def delete_titles(self, request: Request) -> Response:
        """Erase every title that is kept here; what is issued stays issued."""
        buyer = self._buyers.of(request, now_s=self._now_s())
        if buyer is None:
            return refuse(request, Code.LOGIN_REQUIRED)
        await self._desk.erase_titles(buyer)
        return Response(status=204)

    async def _owner(self, request: Request, order_no: str) -> bytes | Code:
        buyer = self._buyers.of(request, now_s=self._now_s())
        if buyer is None:
            return Code.LOGIN_REQUIRED
        order = await self._reader.read(order_no if is_order_no(order_no) else "")
        return buyer if order is not None and order.buyer == buyer else Code.UNKNOWN_ORDER


class FapiaoAdminRoutes:
    """What an operator asks; on the admin listener."""

    def __init__(self, desk: FapiaoDesk, operators: Operators) -> None:
        self._desk = desk
        self._operators = operators

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/admin/v1/fapiao", self.get_fapiaos),
            Route("POST", "/admin/v1/fapiao/{id}/retry", self.post_retry),
        ]

    async def get_fapiaos(self, request: Request) -> Response:
        """The fapiao in one state, or everything that failed."""
        if not self._operators.know(request):
            return refuse(request, Code.LOGIN_REQUIRED)
        wanted = request.query.get("state")
        if wanted is not None and wanted not in STATES:
            return refuse(request, Code.UNKNOWN_STATE)
        states = FAILED if wanted is None else (State(wanted),)
        found = await self._desk.list_by_state(states, count_max=LIST_COUNT_MAX)
        return answer({"fapiaos": [fapiao.operators_document() for fapiao in found]})

    async def post_retry(self, request: Request, fapiao_id: str) -> Response:
        """Let a failed fapiao go on; the answer is the one that does."""
        if not self._operators.know(request):
            return refuse(request, Code.LOGIN_REQUIRED)
        found = await self._desk.retry(fapiao_id)
        if isinstance(found, Fapiao):
            return answer(found.operators_document(), status=202)
        return refuse(request, Code(found))


def link_document(link: TitleLink) -> dict[str, str]:
    """The arguments of wx.navigateToMiniProgram, or a page's address."""
    named = {"app_id": link.appid, "path": link.path, "user_name": link.user_name, "url": link.url}
    return {name: value for name, value in named.items() if value is not None}
