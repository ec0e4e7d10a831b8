"""A line's numbers and controls, wired for the admin listener."""

from engine.app.house import House
from engine.console.line.handlers import LineAdminRoutes
from engine.console.line.reading import LineReader
from engine.web.operators import Operators


def build_line_admin(house: House) -> LineAdminRoutes:
    """The routes of the admin listener."""
    return LineAdminRoutes(
        house.pool,
        LineReader(house.pool, house.line.look),
        Operators(house.config.admin.key.get_secret_value()),
        carry=house.follower.carry_at_once,
        body_timeout_s=house.config.web.body_timeout_s,
    )
