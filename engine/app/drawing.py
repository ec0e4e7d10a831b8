"""The parts of the opening draw, as the processes use them."""

import time

import aiohttp

from engine.app.house import House
from engine.infra.clock import wall_s
from engine.infra.jobs import Job
from engine.infra.seals import SealKeys
from engine.line.draw.beacon import Beacon
from engine.line.draw.draws import Draws
from engine.line.draw.handlers import DrawRoutes
from engine.line.draw.ledger import DrawLedger
from engine.line.draw.sealer import BUILD_EVERY_S, SEAL_EVERY_S, Builder, Sealer
from engine.web.buyers import Buyers
from engine.web.routes import Route


def build_draws(house: House) -> Draws:
    return Draws(DrawLedger(house.pool), house.store, monotonic_s=time.monotonic)


def seal_job(house: House, draws: Draws, session: aiohttp.ClientSession) -> Job:
    """Every process seals: whoever comes first, so that no lobby waits for one of them."""
    sealer = Sealer(house.board, draws, Beacon(session), monotonic_s=time.monotonic)
    return Job("sealer", sealer.run_once, SEAL_EVERY_S)


def build_job(house: House, draws: Draws) -> Job:
    return Job("builder", Builder(house.board, draws).run_once, BUILD_EVERY_S)


def draw_routes(house: House, draws: Draws, buyers: Buyers, keys: SealKeys) -> list[Route]:
    return DrawRoutes(house.board, draws, buyers, keys, now_s=wall_s).routes()
