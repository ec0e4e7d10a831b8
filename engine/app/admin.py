"""The admin listener: health, metrics, and what operators and organizers may do. Workers and jobs have it alike."""

from typing import TYPE_CHECKING

from engine.app.house import House, build_cancelling
from engine.app.lines import build_line_admin
from engine.app.miniprogram import organizer_routes
from engine.app.process import build_console, build_description, limits_of
from engine.app.refunding import refund_admin_routes
from engine.payments.fapiao.desk import FapiaoDesk
from engine.payments.fapiao.handlers import FapiaoAdminRoutes
from engine.payments.wechat.client import WeChatPay
from engine.web.listening import listen
from engine.web.operators import Operators
from engine.web.routes import RouteTable
from engine.web.server import Listener

if TYPE_CHECKING:
    import aiohttp


def build_admin(
    house: House,
    provider: WeChatPay,
    session: "aiohttp.ClientSession",
    fapiao: FapiaoDesk,
    *,
    public: "list[Listener]",
) -> Listener:
    """`public` are the listeners whose draining makes the process unready."""
    config = house.config
    operators = Operators(config.admin.key.get_secret_value())
    routes = [
        *build_console(house, public).routes(),
        *build_description().routes(),
        *build_line_admin(house).routes(),
        *build_cancelling(house).routes(),
        *organizer_routes(house, session),
        *refund_admin_routes(house, provider, config),
        *FapiaoAdminRoutes(fapiao, operators).routes(),
    ]
    return Listener(RouteTable(routes), limits_of(config), listen(config.admin.host, config.admin.port, shared=False))
