"""Joining the line over HTTP: live on one core, and into a lobby whose every place is committed before it is told."""

from __future__ import annotations

from bench import buyers
from bench.figures.common import WEB_WORKERS, Bench, RoundSpoilt, generator_core, interleave, server_core
from bench.report import Figure, figure
from bench.sales import LIVE, LOBBY


def joins(bench: Bench) -> list[Figure]:
    """New buyers join, each once. Live: one worker on one core. Lobby: the whole stack, PostgreSQL included."""
    stack, pace = bench.stack, bench.pace
    count = int(pace.joins_per_s_max * (pace.warm_s + pace.measure_s))

    def live_rate() -> float:
        stack.serve(1, core=server_core())
        send = buyers.joins(stack, LIVE, count)
        ran = stack.scripts()
        measured = bench.load(
            "live joins",
            port=stack.port,
            send=send,
            expect=201,
            pids=stack.pids,
            repeat=False,
            connections=pace.order_connections,
            core=generator_core(),
        )
        scripts, script_us = (now - before for now, before in zip(stack.scripts(), ran, strict=True))
        told = measured.statuses_all[201]
        bench.notes["live joins"] = (
            f"{script_us / told:.1f} us in Redis scripts per join, {told / scripts:.0f} joins per script"
        )
        return measured.per_s

    def lobby_rate() -> float:
        stack.serve(WEB_WORKERS)
        send = buyers.joins(stack, LOBBY, count)
        known = _gathered(bench)
        measured = bench.load(
            "lobby joins",
            port=stack.port,
            send=send,
            expect=201,
            pids=stack.pids,
            repeat=False,
            connections=pace.order_connections,
        )
        told, written = measured.statuses_all[201], _gathered(bench) - known
        if written != told:
            raise RoundSpoilt(f"{told} buyers were told their place, but the ledger has {written} new entries")
        return measured.per_s

    echoes, live_rates, lobby_rates = interleave(pace.rounds, bench.echo_rate, live_rate, lobby_rate)
    if bench.rounds["live joins"][0][1].seconds:
        bench.unit_costs["web_join_us"] = bench.cost_us("live joins", of="web-")
        bench.unit_costs["web_lobby_join_us"] = bench.cost_us("lobby joins", of="web-")
        bench.unit_costs["postgres_entry_us"] = bench.cost_us("lobby joins", of="postgres")
    return [
        figure(
            "live joins per core",
            values=live_rates,
            yardsticks=echoes,
            unit="/s",
            against="echo/s on one core",
            target=0.70,
        ),
        figure(
            "lobby joins, committed, whole stack",
            values=lobby_rates,
            yardsticks=echoes,
            unit="/s",
            against="echo/s on one core",
            target=0.35,
        ),
    ]


def _gathered(bench: Bench) -> int:
    return int(bench.stack.ask_ledger("select count(*) from lobby_entries where sale_id = $1", LOBBY))
