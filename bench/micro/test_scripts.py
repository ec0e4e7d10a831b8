"""The scripts of the hot path at full batches, each beside a script of a thousand small reads with the same payload.

Times are a real server's CPU time, which reads the command and writes the reply too; all is packed before.
"""

import secrets
import time
from collections.abc import Iterator

import msgpack
import pytest

from bench.micro.beside import Beside
from bench.micro.claims import fresh_claims
from bench.micro.sale import EPOCH, LANES, PEOPLE_MAX, MicroSale, fresh_buyers
from bench.micro.sending import Wire
from bench.passes import written
from engine.embedded.valkey import ValkeyServer
from engine.line.admission.passes import Claiming, Passes, Terms
from engine.line.codes import ClaimCode, JoinCode, LookCode, TickCode
from engine.line.pacing.scripts import Move, PaceScripts
from engine.line.place import NONCE_BYTES
from engine.stock.codes import ReserveCode

BATCH = 250
LAPSED = 1_000  # what one tick looks at, at most
CLAIMERS = 1_000
CHECKPOINTS = 20
LOOKS = 10

Packed = list[bytes]


@pytest.fixture
def sale(valkey: ValkeyServer) -> Iterator[MicroSale]:
    wire = Wire(valkey)
    found = MicroSale(wire)
    found.open()
    yield found
    wire.close()


def test_reserve_250_orders(beside: Beside, sale: MicroSale) -> None:
    def prepare() -> tuple[Packed, Packed]:
        claims = fresh_claims(BATCH)
        for command in written(sale.live.keys, [(claim.buyer, claim.nonce) for claim in claims]):
            sale.wire.client.execute_command(*command)  # type: ignore[no-untyped-call]
        return sale.beside_small_reads(sale.stock.reserve(sale.live.keys, EPOCH, claims))

    def reserve(_: Packed, packed: Packed) -> None:
        _, codes, _ = sale.wire.ask(packed)
        assert codes == bytes([ReserveCode.HELD]) * BATCH

    beside(reserve, lambda yardstick, _: sale.wire.ask(yardstick), prepare=prepare, clock=sale.wire.cpu_s)


def test_claim_250_passes(beside: Beside, sale: MicroSale) -> None:
    passes = Passes(sale.store)
    terms = Terms(limit=PEOPLE_MAX, pass_ms=120_000, claimers_max=10_000)

    def prepare() -> tuple[Packed, Packed]:
        claimings = [
            Claiming(place, place.index, float(place.index), secrets.token_bytes(NONCE_BYTES))
            for place in sale.joined(BATCH)
        ]
        return sale.beside_small_reads(passes.claim(sale.live, sale.roster, claimings, terms))

    def claim(_: Packed, packed: Packed) -> None:
        codes = sale.wire.ask(packed)[3]
        assert codes == bytes([ClaimCode.ADMITTED]) * BATCH

    beside(claim, lambda yardstick, _: sale.wire.ask(yardstick), prepare=prepare, clock=sale.wire.cpu_s)


def test_join_250_people(beside: Beside, sale: MicroSale) -> None:
    def join(_: Packed, packed: Packed) -> None:
        code, places, _ = sale.wire.ask(packed)
        assert code == JoinCode.JOINED
        assert min(places) >= 0

    beside(
        join,
        lambda yardstick, _: sale.wire.ask(yardstick),
        prepare=lambda: sale.beside_small_reads(sale.joining(fresh_buyers(BATCH))),
        clock=sale.wire.cpu_s,
    )


def test_tick_with_1000_lapsed_passes_and_320_claimers(beside: Beside, sale: MicroSale) -> None:
    """As much as one tick ever does: every pass has run out, every claimer it looks at has gone."""
    client, keys, scripts = sale.wire.client, sale.live.keys, PaceScripts(sale.store)
    move = Move(heads=(PEOPLE_MAX,) * LANES, called=(0,) * LANES, pace=bytes(200), checkpoint=True, drop_count=1)
    tick = 0

    def prepare() -> tuple[Packed, Packed]:
        lapsed = fresh_buyers(LAPSED)
        client.hset(keys.passes, mapping={buyer: secrets.token_bytes(NONCE_BYTES) + b"10" for buyer in lapsed})
        client.zadd(keys.admitted, dict.fromkeys(lapsed, 1))
        waiting = fresh_buyers(CLAIMERS - client.zcard(keys.claimers))
        client.zadd(keys.claimers, {buyer: at for at, buyer in enumerate(waiting)})
        client.hset(keys.seen, mapping=dict.fromkeys(waiting, 1))
        return sale.beside_small_reads(scripts.tick(sale.live, EPOCH, tick, move))

    def run(_: Packed, packed: Packed) -> None:
        nonlocal tick
        code, tick, *_ = sale.wire.ask(packed)
        assert code == TickCode.TICKED

    beside(run, lambda yardstick, _: sale.wire.ask(yardstick), prepare=prepare, clock=sale.wire.cpu_s)


def test_10_looks_at_8_lanes_and_20_skus(beside: Beside, sale: MicroSale) -> None:
    client, keys = sale.wire.client, sale.live.keys
    checkpoint = msgpack.packb((time.time_ns() // 1_000_000, [PEOPLE_MAX] * LANES, 100))
    client.rpush(keys.checkpoints, *[checkpoint] * CHECKPOINTS)
    yardstick, packed = sale.beside_small_reads(PaceScripts(sale.store).look(sale.live))

    def look() -> None:
        replies = sale.wire.ask_all(packed * LOOKS, count=LOOKS)
        assert [reply[0] for reply in replies] == [LookCode.SEEN] * LOOKS

    beside(look, lambda: sale.wire.ask(yardstick), clock=sale.wire.cpu_s)
