"""What the verdict rests on: the audit, the arrivals, and the sentence that says it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.books.reckoning import NO_SETTINGS
from loadtest.books.verdict import Judgement, judge
from loadtest.lab.playing import Played
from loadtest.recording.record import Record
from loadtest.recording.trust import MISSED_SHARE_MAX
from loadtest.report.model import Arrived, Audit, SloResult


def until(record: Record, at_s: float | None) -> Record:
    """The part before a moment of the wall clock; all of it without one."""
    if at_s is None:
        return record
    return Record({second: heard for second, heard in record.seconds.items() if second < at_s})


def arrivals(record: Record) -> Arrived:
    begun, missed = record.begun, record.missed
    share = missed / begun if begun else 0.0
    return Arrived(
        intended=begun,
        missed=missed,
        share=round(share, 6),
        allowed=MISSED_SHARE_MAX,
        holds=begun > 0 and share <= MISSED_SHARE_MAX,
    )


def audited(judgement: Judgement, played: Played, *, missing: Sequence[str], before: Sequence[Played] = ()) -> Audit:
    """`before` was played on the same ground on the way here; its books must hold as well."""
    evidence = played.evidence
    checked = ["what every buyer was told, against the orders that they can read", "every limit per buyer"]
    if evidence.stock:
        checked.append("the stock in Redis, against the paid orders")
    if evidence.ledger:
        checked.append("WeChat's ledger, against the orders and against what buyers were told, fen by fen")
    if not missing:
        checked += ["PostgreSQL, Redis and money, by the engine's own audit", "the line, from its log"]
    checked.append("that nobody was passed over in the line, and that no place was given twice")
    if played.has_draw and evidence.draw.is_verified:
        checked.append(f"the draw of {evidence.draw.lobby_size:,} people, and one buyer's proof of it")
    earlier = [reason for one in before for reason in judge(one.evidence.facts(left_running=())).reasons]
    if before:
        checked.append(f"the same for the {len(before)} runs before this one that it was made with")
    said = [*judgement.reasons, *(f"in a run before: {reason}" for reason in earlier)]
    reasons = [reason for reason in said if NO_SETTINGS not in reason]
    return Audit(
        figures={
            name: getattr(judgement, name)
            for name in (
                *("capacity", "sold", "oversold", "undersold", "paid_orders", "paid_fen", "refunded_fen"),
                *("lost_paid", "double_paid"),
            )
        },
        reasons=[*(f"no full audit: {what}" for what in missing), *reasons],
        checked=checked,
        holds=not reasons and not missing,
    )


def headline(
    judgement: Judgement,
    promised: Sequence[SloResult],
    audit: Audit,
    arrived: Arrived,
    *,
    missing: Sequence[str],
    words: Sequence[str] = (),
) -> str:
    """What was sold, and what broke, in one sentence. `words`: what a search found."""
    sold = f"{judgement.sold:,} of {judgement.capacity:,} tickets sold" if judgement.capacity else "stock unknown"
    broken = [one for one in promised if not one.holds]
    wrong = []
    if len(audit.reasons) > len(missing):
        wrong.append(f"the audit disagrees in {len(audit.reasons) - len(missing)} ways: {audit.reasons[len(missing)]}")
    if broken:
        shown = "; ".join(f"{one.words}, found {_said(one.found)}" for one in broken[:2])
        wrong.append(f"{len(broken)} of {len(promised)} SLOs broken: {shown}")
    if not arrived.holds:
        wrong.append(f"{arrived.missed:,} of {arrived.intended:,} arrivals missed by the generator")
    if words:
        wrong.append(" ".join(words))
    if wrong:
        return f"{sold}; " + "; ".join(wrong)
    if missing:
        return f"{sold}, every SLO holds, but the books could not be audited: {missing[0]}"
    return f"{sold}, each once; every fen accounted for; all {len(promised)} SLOs hold"


def _said(found: float | None) -> str:
    return "nothing" if found is None else f"{found:,.4g}"
