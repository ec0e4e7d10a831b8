"""What is known of a fapiao, and of the money it is about."""

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from engine.payments.fapiao.states import State

FAPIAO_ID_BYTES = 16  # 32 hexadecimal digits: the longest number WeChat takes


class Scene(StrEnum):
    """How an application is numbered; the spelling is WeChat's."""

    WITH_WECHATPAY = "WITH_WECHATPAY"  # by the transaction's id
    WITHOUT_WECHATPAY = "WITHOUT_WECHATPAY"  # by a number of ours


class NextRound(StrEnum):
    """Under which application an order's next fapiao is issued, and with whose title; the first three are also values
    of the setting `fapiao.reissue`."""

    SAME = "same"
    NEW = "new"  # of our own number, with the title we have
    ASK = "ask"  # of our own number, after the buyer filled in the title again
    ANEW = "anew"  # the same, with the title that the buyer has filled in again


@dataclass(frozen=True, slots=True, kw_only=True)
class Fapiao:
    """One fapiao as the ledger has it. `tries` counts the turns since its last move."""

    fapiao_id: str
    order_no: str
    sale_id: str
    round: int
    mchid: str
    transaction_id: str
    apply_id: str
    scene: Scene
    state: State
    card_status: str | None
    title_sealed: bytes | None = field(repr=False)
    title_erased: bool
    amount_fen: int | None
    content: str | None
    fapiao_code: str | None
    fapiao_number: str | None
    reason: str | None
    tries: int
    changed_ms: int

    def document(self) -> dict[str, Any]:
        """As its buyer sees it."""
        return {
            "fapiao": self.fapiao_id,
            "state": self.state.value,
            "amount_fen": self.amount_fen,
            "card_status": self.card_status,
            "number": self.fapiao_number,
            "changed_ms": self.changed_ms,
        }

    def operators_document(self) -> dict[str, Any]:
        """As an operator sees it: with the reason, and without the title."""
        return {
            **self.document(),
            "order_no": self.order_no,
            "mchid": self.mchid,
            "application": self.apply_id,
            "round": self.round,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What an order's fapiao can be about: the sum that was not given back, and the tickets that it still has.

    settled: nothing is on its way back, so the sum stays what it is until somebody decides otherwise. paid: and the
    order is paid.
    """

    order_no: str
    sale_id: str
    mchid: str
    transaction_id: str
    kept_fen: int
    quantity: int
    settled: bool
    paid: bool
    openid_sealed: bytes | None = field(repr=False)


def fapiao_id_of(order_no: str, round_no: int) -> str:
    """The number of an order's n-th fapiao: the same on every try."""
    return blake2b(f"{order_no}-{round_no}".encode(), digest_size=FAPIAO_ID_BYTES, person=b"fapiao").hexdigest()
