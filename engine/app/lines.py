"""A line's numbers and controls, wired: for the admin listener, and for one command at a time."""

from contextlib import AsyncExitStack

from engine.app.house import House, build_house
from engine.config import Config
from engine.console.line.handlers import LineAdminRoutes
from engine.console.line.numbers import LineNumbers
from engine.console.line.reading import LineReader
from engine.infra.outage import RedisAway
from engine.infra.postgres import open_pool
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


async def carry_terms(config: Config, sale_id: str) -> bool:
    """Tell Redis what the catalog says of a sale; False when Redis has to be told by a rebuild. Raises Outage."""
    async with AsyncExitStack() as stack:
        house = await build_house(config, stack, "floodgate-cli", patient=False)
        return await house.follower.carry_at_once(sale_id)


async def read_line(config: Config, sale_id: str) -> LineNumbers | None:
    """A line's numbers, or None when there is no such sale; by the ledger alone where Redis is away."""
    async with AsyncExitStack() as stack:
        try:
            house = await build_house(config, stack, "floodgate-cli", patient=False)
        except RedisAway:
            pool = await stack.enter_async_context(
                await open_pool(
                    config.postgres.url,
                    connections_max=1,
                    statement_timeout_s=config.postgres.statement_timeout_s,
                    connect_timeout_s=config.postgres.connect_timeout_s,
                    application="floodgate-cli",
                )
            )
            return await LineReader(pool, None).read(sale_id)
        return await LineReader(house.pool, house.line.look).read(sale_id)
