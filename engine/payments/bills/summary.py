"""A reconciliation in words, in Chinese and English. Pure."""

from collections.abc import Iterator, Sequence

from engine.payments.bills.advice import Language, advice
from engine.payments.bills.format import round_fen
from engine.payments.bills.outcome import DayResult, NotReconciled, Outcome
from engine.payments.bills.records import Difference, Kind, Subject

SUBJECTS = {
    Subject.PAYMENT: ("支付", "payment"),
    Subject.REFUND: ("退款", "refund"),
    Subject.FUNDS: ("资金", "funds"),
}
KINDS = {
    Kind.MISSING_HERE: ("微信有、本系统无", "missing here"),
    Kind.MISSING_THERE: ("本系统有、微信无", "missing there"),
    Kind.AMOUNT: ("金额不一致", "amount"),
    Kind.STATE: ("状态不一致", "state"),
    Kind.DUPLICATE: ("重复", "duplicate"),
}
DIFFERENCES_SHOWN_MAX = 50  # the CSV has them all


def lines(outcomes: Sequence[Outcome], language: Language) -> Iterator[str]:
    """The summary in words."""
    for outcome in outcomes:
        if isinstance(outcome, NotReconciled):
            yield (
                _say(
                    language,
                    f"{outcome.day} 商户 {outcome.mchid}：未对账。",
                    f"{outcome.day}, merchant {outcome.mchid}: not compared.",
                )
                + f" {outcome.reason}"
            )
        else:
            yield from _day_lines(outcome, language)


def _day_lines(outcome: DayResult, language: Language) -> Iterator[str]:
    paid, back, funds = outcome.payments, outcome.refunds, outcome.funds
    fees = _yuan(round_fen(outcome.fee_millifen))
    yield _say(
        language,
        f"{outcome.day} 商户 {outcome.mchid}",
        f"{outcome.day}, merchant {outcome.mchid}",
    )
    yield _say(
        language,
        f"  交易账单：支付 {paid.count:,} 笔 {_yuan(paid.fen)}，退款 {back.count:,} 笔 {_yuan(back.fen)}，"
        f"手续费 {fees}；其他业务 {outcome.foreign.count:,} 行",
        f"  trade bill: {paid.count:,} payments {_yuan(paid.fen)}, {back.count:,} refunds {_yuan(back.fen)}, "
        f"fees {fees}; {outcome.foreign.count:,} rows of others",
    )
    if funds is not None:
        yield _say(
            language,
            f"  资金账单：收入 {_yuan(funds.income.fen)}，支出 {_yuan(-funds.outgo.fen)}，"
            f"净额 {_yuan(funds.moved_fen)}；交易账单合计 {_yuan(funds.billed_fen)}；其他 {funds.other.count:,} 笔",
            f"  fund flow: in {_yuan(funds.income.fen)}, out {_yuan(-funds.outgo.fen)}, net {_yuan(funds.moved_fen)}; "
            f"the trade bill makes it {_yuan(funds.billed_fen)}; {funds.other.count:,} other movements",
        )
    if outcome.elsewhere or outcome.waiting or outcome.looked_at:
        days = ", ".join(sorted(map(str, outcome.looked_at))) or "-"
        yield _say(
            language,
            f"  跨日：相邻账单中找到 {outcome.elsewhere:,} 笔（已查 {days}），等待次日账单 {outcome.waiting:,} 笔",
            f"  around midnight: {outcome.elsewhere:,} found in a neighbour's bill (looked at {days}), "
            f"{outcome.waiting:,} wait for the next day's bill",
        )
    for difference in outcome.differences[:DIFFERENCES_SHOWN_MAX]:
        yield _difference_line(difference, language)
    more = len(outcome.differences) - DIFFERENCES_SHOWN_MAX
    if more > 0:
        yield _say(language, f"  另有 {more:,} 条差异，见 CSV", f"  and {more:,} more differences: see the CSV")
    yield _say(
        language,
        f"  差异 {outcome.left:,} 条待处理，已自动处理 {outcome.repaired:,} 条",
        f"  differences left: {outcome.left:,}; repaired: {outcome.repaired:,}",
    )


def _difference_line(difference: Difference, language: Language) -> str:
    index = 0 if language is Language.ZH else 1
    number = difference.out_refund_no or difference.order_no or difference.transaction_id or difference.refund_id
    ours, theirs = (_yuan_or_dash(fen) for fen in (difference.ours_fen, difference.theirs_fen))
    states = "/".join(filter(None, (difference.ours_state, difference.theirs_state)))
    sides = _say(language, f"本系统 {ours}，微信 {theirs}", f"here {ours}, WeChat {theirs}")
    if difference.subject is Subject.FUNDS:
        sides = _say(language, f"交易 {ours}，资金 {theirs}", f"trade {ours}, funds {theirs}")
    told = f" [{difference.outcome}]" if difference.outcome else ""
    return (
        f"  * {KINDS[difference.kind][index]} · {SUBJECTS[difference.subject][index]} · {number} · {sides}"
        f" · {states or '-'}{told}\n    {advice(difference, language)}"
    )


def _say(language: Language, chinese: str, english: str) -> str:
    return chinese if language is Language.ZH else english


def _yuan(fen: int) -> str:
    sign = "-" if fen < 0 else ""
    return f"{sign}¥{abs(fen) // 100:,}.{abs(fen) % 100:02}"


def _yuan_or_dash(fen: int | None) -> str:
    return "-" if fen is None else _yuan(fen)
