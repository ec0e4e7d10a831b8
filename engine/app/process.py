"""What every process does the same way: logs, the interpreter's settings, the admin listener, the end."""

import asyncio
import gc
import logging
import signal
import sys
from importlib.resources import files

import structlog

from engine.app.house import House
from engine.config import Config
from engine.console.handlers import ConsoleRoutes
from engine.infra.outage import Outage
from engine.web.description import DescriptionDesk
from engine.web.operators import Operators
from engine.web.server import Limits, Listener

CATALOG_EVERY_S = 1.0
REBUILD_EVERY_S = 0.2
# Signing threads must get the interpreter back from a busy loop: at the default of 5 ms one thread managed 330
# signatures a second beside it, at half a millisecond 1,530.
SWITCH_INTERVAL_S = 0.0005
# Requests leave few cycles behind, and a young collection looks at every request in flight: at the default of 700
# that took a fifth of a worker's time at the peak.
GC_THRESHOLDS = (50_000, 50, 100)


def write_logs(config: Config) -> None:
    """Structured logs on standard error; what the libraries log comes the same way."""
    level = getattr(logging, config.log.level.upper())
    console = config.log.format == "console"
    renderer = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(stream=sys.stderr, level=max(level, logging.WARNING), format="%(name)s: %(message)s")


def settle_in() -> None:
    """What the interpreter has to know about a process that lives long and answers quickly."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()  # modules and wiring live for ever: the collector need not look at them again
    gc.set_threshold(*GC_THRESHOLDS)


def build_description() -> DescriptionDesk:
    return DescriptionDesk(files("engine.web").joinpath("openapi.json").read_bytes())


def build_console(house: House, listener: "list[Listener]") -> ConsoleRoutes:
    async def why_not_ready() -> str | None:
        if any(one.draining for one in listener):
            return "draining"
        if not house.board.loaded:
            return "the catalog has not been read yet"
        try:
            await house.store.ping()
            await house.board.refresh()
        except Outage as outage:
            return str(outage)
        return None

    return ConsoleRoutes(
        house.board,
        house.stock,
        house.line,
        house.book,
        operators=Operators(house.config.admin.key.get_secret_value()),
        why_not_ready=why_not_ready,
    )


def limits_of(config: Config) -> Limits:
    web = config.web
    return Limits(
        body_bytes_max=max(web.body_bytes_max, 65_536),  # notifications may be longer than what buyers send
        head_timeout_s=web.head_timeout_s,
        body_timeout_s=web.body_timeout_s,
        request_timeout_s=web.request_timeout_s,
        concurrent_requests_max=web.concurrent_requests_max,
    )


async def until_told_to_stop() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
