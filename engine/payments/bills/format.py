"""Reading WeChat's bills: lines of text in, rows out, and the totals at the end compared with the rows.

Columns are found by the names in the first line, whatever their order and however many there are. Values begin with a
backtick; money is yuan in decimal digits and is read exactly, never through a float. A bill that lacks a column, breaks
off, or whose totals are not the sums of its rows raises BillUnreadable: rows that were given out before must then not
be acted on. Pure: where the lines come from is the caller's business.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from engine.payments.bills.days import CHINA
from engine.payments.bills.records import BilledPayment, BilledRefund, BilledRow, Movement

MILLIFEN_OF_YUAN = 100_000
MILLIFEN_OF_FEN = 1000
DECIMALS_MAX = 5
DIGITS_MAX = 13

TRADE_COUNT = "总交易单数"
TRADE_SUMS: Mapping[str, str] = {
    "应结订单总金额": "应结订单金额",
    "退款总金额": "退款金额",
    "充值券退款总金额": "充值券退款金额",
    "手续费总金额": "手续费",
    "订单总金额": "订单金额",
    "申请退款总金额": "申请退款金额",
}
TRADE_NEEDED = (
    "交易时间",
    "公众账号ID",
    "商户号",
    "微信订单号",
    "商户订单号",
    "交易状态",
    "应结订单金额",
    "订单金额",
)
REFUND_NEEDED = ("微信退款单号", "商户退款单号", "退款金额", "退款状态")

FLOW_COUNT = "资金流水总笔数"
FLOW_NEEDED = ("记账时间", "微信支付业务单号", "业务类型", "收支类型", "收支金额(元)", "业务凭证号")
INCOME, OUTGO = "收入", "支出"
NO_NUMBER = ("", "0")


class BillUnreadable(Exception):
    """The bill is not what a bill is; its text says where."""


@lru_cache(maxsize=8192)  # a sale has few prices
def millifen_of(text: str) -> int:
    """`12.05` yuan in thousandths of a fen. Raises BillUnreadable for anything but decimal digits; empty is nothing."""
    if not text:
        return 0
    whole, point, part = text.removeprefix("-").partition(".")
    digits = whole + part
    fits = 0 < len(whole) <= DIGITS_MAX and len(part) <= DECIMALS_MAX and bool(point) == bool(part)
    if not (fits and digits.isascii() and digits.isdigit()):
        raise BillUnreadable(f"not an amount in yuan: {text!r}")
    amount = int(whole) * MILLIFEN_OF_YUAN + int(part.ljust(DECIMALS_MAX, "0"))
    return -amount if text[0] == "-" else amount


def round_fen(millifen: int) -> int:
    """The nearest fen; a half goes up."""
    return (millifen + MILLIFEN_OF_FEN // 2) // MILLIFEN_OF_FEN


def yuan_of(millifen: int) -> str:
    """For people."""
    return str(Decimal(millifen).scaleb(-DECIMALS_MAX))


def fen_of(text: str) -> int:
    """An amount that must be whole fen."""
    fen, rest = divmod(millifen_of(text), MILLIFEN_OF_FEN)
    if rest:
        raise BillUnreadable(f"not a whole number of fen: {text!r}")
    return fen


def moment_of(text: str) -> datetime:
    """`2022-03-21 13:51:31`, China time."""
    try:
        if len(text) != 19 or text[10] != " ":
            raise ValueError
        return datetime.fromisoformat(text).replace(tzinfo=CHINA)
    except ValueError:
        raise BillUnreadable(f"not a time: {text!r}") from None


def cells_of(line: str) -> list[str]:
    """The values of one line. A comma inside a text cannot be followed by a backtick: WeChat escapes it."""
    if line.startswith("`"):
        return line[1:].split(",`")
    return [cell.strip() for cell in line.split(",")]


@dataclass(slots=True)
class _Table:
    """The lines of a bill, cut into rows of cells; `total` is the last line by column once the rows are used up."""

    lines: Iterable[str]
    needed: tuple[str, ...]
    count_name: str
    number: int = 0
    count: int = 0
    total: dict[str, str] = field(default_factory=dict)
    at: dict[str, int] = field(default_factory=dict)

    def rows(self) -> Iterator[list[str]]:
        names: list[str] = []
        for raw in self.lines:
            self.number += 1
            line = raw.rstrip("\r\n")
            if not line:
                continue
            if self.total:
                raise BillUnreadable(f"line {self.number}: there is more after the totals")
            cells = cells_of(line)
            if not self.at:
                self._read_header(cells)
            elif names:
                self.total = dict(zip(names, self._fitting(cells, len(names)), strict=True))
            elif self.count_name in cells:
                names = cells
            else:
                self.count += 1
                yield self._fitting(cells, len(self.at))
        if not self.total:
            raise BillUnreadable("the bill breaks off before its totals")
        self.check_count(self.count_name, self.count)

    def _read_header(self, cells: list[str]) -> None:
        names = [cell.removeprefix("\ufeff").strip("` ") for cell in cells]
        self.at = {name: place for place, name in enumerate(names)}
        missing = [name for name in self.needed if name not in self.at]
        if missing:
            raise BillUnreadable(f"there is no column {missing[0]}")
        if len(self.at) != len(names):
            raise BillUnreadable("two columns have the same name")

    def _fitting(self, cells: list[str], count: int) -> list[str]:
        if len(cells) != count:
            raise BillUnreadable(f"line {self.number} has {len(cells)} values for {count} columns")
        return cells

    def check_count(self, name: str, found: int) -> None:
        told = self.total.get(name)
        if told is not None and told != str(found):
            raise BillUnreadable(f"{name} says {told}, the rows are {found}")

    def check_sum(self, name: str, found_millifen: int) -> None:
        told = self.total.get(name)
        if told is not None and millifen_of(told) != found_millifen:
            raise BillUnreadable(f"{name} says {told}, the rows sum up to {yuan_of(found_millifen)}")

    def wrong(self, error: BillUnreadable) -> BillUnreadable:
        return BillUnreadable(f"line {self.number}: {error}")


def read_trade_bill(lines: Iterable[str]) -> Iterator[BilledRow]:
    """The rows of a trade bill of any type. Raises BillUnreadable, at the latest at the end."""
    table = _Table(lines, TRADE_NEEDED, TRADE_COUNT)
    sums: dict[str, int] = {}
    for cells in table.rows():
        if not sums:
            sums = {name: 0 for name in TRADE_SUMS.values() if name in table.at}
        try:
            for name in sums:
                sums[name] += millifen_of(cells[table.at[name]])
            yield _billed(cells, table.at)
        except BillUnreadable as error:
            raise table.wrong(error) from None
    for total, name in TRADE_SUMS.items():
        table.check_sum(total, sums.get(name, 0))


def _billed(cells: list[str], at: Mapping[str, int]) -> BilledRow:
    def cell(name: str) -> str:
        place = at.get(name)
        return "" if place is None else cells[place]

    state = cell("交易状态")
    moment, appid, mchid = moment_of(cell("交易时间")), cell("公众账号ID"), cell("商户号")
    transaction_id, order_no = cell("微信订单号"), cell("商户订单号")
    fee_millifen = millifen_of(cell("手续费"))
    if state == "REFUND" or cell("商户退款单号") not in NO_NUMBER:
        for name in REFUND_NEEDED:
            if name not in at:
                raise BillUnreadable(f"a refund, and no column {name}")
        return BilledRefund(
            moment=moment,
            appid=appid,
            mchid=mchid,
            transaction_id=transaction_id,
            order_no=order_no,
            refund_id=cell("微信退款单号"),
            out_refund_no=cell("商户退款单号"),
            state=cell("退款状态"),
            # Older bills have no column of what was asked for.
            refund_fen=fen_of(cell("申请退款金额" if "申请退款金额" in at else "退款金额")),
            settled_fen=fen_of(cell("退款金额")),
            fee_millifen=fee_millifen,
        )
    return BilledPayment(
        moment=moment,
        appid=appid,
        mchid=mchid,
        transaction_id=transaction_id,
        order_no=order_no,
        state=state,
        total_fen=fen_of(cell("订单金额")),
        settled_fen=fen_of(cell("应结订单金额")),
        fee_millifen=fee_millifen,
    )


def read_fund_flow(lines: Iterable[str]) -> Iterator[Movement]:
    """The rows of a fund-flow bill. Raises BillUnreadable, at the latest at the end."""
    table = _Table(lines, FLOW_NEEDED, FLOW_COUNT)
    counts, sums = {INCOME: 0, OUTGO: 0}, {INCOME: 0, OUTGO: 0}
    for cells in table.rows():
        at = table.at
        try:
            direction = cells[at["收支类型"]]
            if direction not in sums:
                raise BillUnreadable(f"neither income nor outgo: {direction!r}")
            amount_fen = fen_of(cells[at["收支金额(元)"]])
            counts[direction] += 1
            sums[direction] += amount_fen
            yield Movement(
                moment=moment_of(cells[at["记账时间"]]),
                business_no=cells[at["微信支付业务单号"]],
                business=cells[at["业务类型"]],
                amount_fen=amount_fen if direction == INCOME else -amount_fen,
                voucher=cells[at["业务凭证号"]],
            )
        except BillUnreadable as error:
            raise table.wrong(error) from None
    for direction in (INCOME, OUTGO):
        table.check_count(f"{direction}笔数", counts[direction])
        table.check_sum(f"{direction}金额", sums[direction] * MILLIFEN_OF_FEN)
