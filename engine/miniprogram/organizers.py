"""The mini program's services on the admin listener: codes and links of a sale, and correcting a delivery."""

from __future__ import annotations

import structlog

from engine.catalog.board import Board
from engine.infra.outage import ProviderAway
from engine.miniprogram.client import image_type
from engine.miniprogram.codes import SaleCodes, scene_of
from engine.miniprogram.duties import Duties
from engine.miniprogram.errcodes import Refusal, Refused
from engine.orders.records import is_order_no
from engine.web.http import Request, Response, answer, refuse
from engine.web.operators import Operators
from engine.web.problems import Code
from engine.web.routes import Route

log = structlog.get_logger(__name__)

REFUSALS = {
    Refusal.PAGE_INVALID: Code.PAGE_UNKNOWN,
    Refusal.TOO_OFTEN: Code.QUOTA_SPENT,
    Refusal.QUOTA_SPENT: Code.QUOTA_SPENT,
}


class OrganizerRoutes:
    """Whoever shows `admin.key` may ask."""

    def __init__(self, board: Board, codes: SaleCodes, duties: Duties, operators: Operators) -> None:
        self._board = board
        self._codes = codes
        self._duties = duties
        self._operators = operators

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/admin/v1/sales/{sale}/qr-code", self.post_code),
            Route("POST", "/admin/v1/sales/{sale}/url-link", self.post_link),
            Route("POST", "/admin/v1/orders/{no}/shipping", self.post_shipping),
        ]

    async def post_code(self, request: Request, sale_id: str) -> Response:
        """The sale's QR code, an image."""
        if not self._operators.know(request):
            return refuse(request, Code.LOGIN_REQUIRED)
        if self._board.find(sale_id) is None:
            return refuse(request, Code.UNKNOWN_SALE)
        scene = scene_of(sale_id)
        if scene is None:
            return refuse(request, Code.SCENE_TOO_LONG)
        image = await self._codes.image(sale_id, scene)
        if isinstance(image, Refused):
            return refuse(request, _code_of("getwxacodeunlimit", image))
        return Response(image, content_type=image_type(image) or "application/octet-stream")

    async def post_link(self, request: Request, sale_id: str) -> Response:
        """A link that opens the sale from a browser or a text message."""
        if not self._operators.know(request):
            return refuse(request, Code.LOGIN_REQUIRED)
        if self._board.find(sale_id) is None:
            return refuse(request, Code.UNKNOWN_SALE)
        link = await self._codes.link(sale_id)
        if isinstance(link, Refused):
            return refuse(request, _code_of("generate_urllink", link))
        return answer({"sale": sale_id, "url": link.url, "expires_ms": link.expires_ms})

    async def post_shipping(self, request: Request, order_no: str) -> Response:
        """Tell WeChat once more what was delivered, in the words of the settings now. WeChat takes one correction."""
        if not self._operators.know(request):
            return refuse(request, Code.LOGIN_REQUIRED)
        if not is_order_no(order_no):
            return refuse(request, Code.UNKNOWN_ORDER)
        if not await self._duties.correct_shipment(order_no):
            return refuse(request, Code.NOT_CORRECTABLE)
        return answer({"order_no": order_no, "shipping": "correcting"}, status=202)


def _code_of(call: str, refused: Refused) -> Code:
    """What an organizer is told. Raises ProviderAway for what no organizer can put right."""
    code = REFUSALS.get(refused.refusal)
    if code is None:
        log.error("miniprogram_refused", call=call, refusal=refused.refusal, errcode=refused.errcode)
        raise ProviderAway(f"{call}: errcode {refused.errcode}")
    return code
