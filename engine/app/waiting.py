"""The parts of the line, as a web worker uses them."""

import random
import time

from engine.app.house import House
from engine.catalog.board import LiveSale
from engine.config import Config
from engine.infra.clock import wall_s
from engine.infra.seals import SealKeys
from engine.line.admission.desk import AdmissionDesk
from engine.line.admission.ledger import AdmissionLedger
from engine.line.admission.passes import Passes
from engine.line.eligibility.eligibility import Eligibility
from engine.line.front.challenge import Altcha
from engine.line.front.desk import LineDesk
from engine.line.front.handlers import LineRoutes
from engine.line.front.limits import Limits
from engine.line.front.streams import LineStreams
from engine.line.joining.desk import JoinDesk
from engine.line.pacing.health import Pulse
from engine.line.pacing.ledger import PaceLedger
from engine.line.pacing.ticker import Beat, Ticker
from engine.orders.desks import Desks
from engine.web.addresses import Addresses
from engine.web.buyers import Buyers
from engine.web.routes import Route


def open_line(house: House, live: LiveSale, pulse: Pulse) -> LineDesk:
    """The line of one sale."""
    config = house.config
    line, batch_count_max, queue_count_max = config.line, config.stock.batch_count_max, config.stock.queue_count_max
    window_ms = line.claim_window_s * 1000
    pass_ms = line.pass_serving_s * 1000
    beat = Beat(tick_ms=line.tick_ms, window_ms=window_ms, pass_ms=pass_ms, burst_count=line.burst_count)
    ticker = Ticker(live, house.line.pacing, PaceLedger(house.pool), pulse, beat)
    joins = JoinDesk(
        live,
        house.line.join_scripts,
        house.line.join_ledger,
        block_count=line.block_count,
        batch_count_max=batch_count_max,
        queue_count_max=queue_count_max,
    )
    admission = AdmissionDesk(
        live,
        Passes(house.store),
        AdmissionLedger(house.pool),
        limit=lambda: ticker.limit,
        pass_ms=pass_ms,
        batch_count_max=batch_count_max,
        queue_count_max=queue_count_max,
    )
    return LineDesk(live, joins, admission, ticker, window_ms=window_ms, luck=random.random)


def build_streams(config: Config) -> LineStreams:
    return LineStreams(streams_max=config.line.streams_max)


def line_routes(house: House, desks: Desks, buyers: Buyers, keys: SealKeys, streams: LineStreams) -> list[Route]:
    """What buyers ask of the line."""
    config = house.config
    line = config.line
    limits = Limits(
        Addresses(config.web.trusted_proxies),
        buyer_rate_per_s=line.buyer_rate_per_s,
        buyer_burst_count=line.buyer_burst_count,
        address_rate_per_s=line.address_rate_per_s,
        address_burst_count=line.address_burst_count,
        monotonic_s=time.monotonic,
    )
    return LineRoutes(
        desks.line_of,
        buyers,
        keys,
        Eligibility(house.pool, queue_count_max=config.stock.queue_count_max),
        limits,
        Altcha(keys, hashes=line.proof_hashes, expires_after_s=line.proof_s),
        streams,
        now_s=wall_s,
        body_bytes_max=config.web.body_bytes_max,
        body_timeout_s=config.web.body_timeout_s,
    ).routes()
