"""Every code a buyer can be refused with: its status and its sentence, in English and Chinese.

The code is stable and meant for programs; the sentence is meant for people. Bodies are built once, so that the
hundred-thousandth refusal costs no more than a lookup.
"""

import enum
from dataclasses import dataclass
from typing import Any

import orjson

RETRY_SOON_MS = 1000


class Code(enum.StrEnum):
    """What a problem document carries as `code`."""

    REQUEST_INVALID = "REQUEST_INVALID"
    BODY_INVALID = "BODY_INVALID"
    KEY_INVALID = "KEY_INVALID"
    LOGIN_REQUIRED = "LOGIN_REQUIRED"
    LOGIN_REFUSED = "LOGIN_REFUSED"
    PLACE_INVALID = "PLACE_INVALID"
    PASS_INVALID = "PASS_INVALID"  # noqa: S105 - a code, no secret
    NOT_A_MEMBER = "NOT_A_MEMBER"
    CODE_NEEDED = "CODE_NEEDED"
    CODE_INVALID = "CODE_INVALID"
    CODE_USED = "CODE_USED"
    PROOF_NEEDED = "PROOF_NEEDED"
    PROOF_INVALID = "PROOF_INVALID"
    UNKNOWN_ROUTE = "UNKNOWN_ROUTE"
    UNKNOWN_SALE = "UNKNOWN_SALE"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    UNKNOWN_SESSION = "UNKNOWN_SESSION"
    UNKNOWN_FAPIAO = "UNKNOWN_FAPIAO"
    UNKNOWN_REFUND = "UNKNOWN_REFUND"
    UNKNOWN_PHONE = "UNKNOWN_PHONE"
    UNKNOWN_ENTRIES = "UNKNOWN_ENTRIES"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    KEY_REUSED = "KEY_REUSED"
    PAUSED = "PAUSED"
    NOT_OPEN = "NOT_OPEN"
    ENDED = "ENDED"
    NOT_YOUR_TURN = "NOT_YOUR_TURN"
    NO_ROOM = "NO_ROOM"
    DRAWING = "DRAWING"
    PLACE_VOID = "PLACE_VOID"
    NOT_DRAWN = "NOT_DRAWN"
    NOT_IN_DRAW = "NOT_IN_DRAW"
    PASS_SPENT = "PASS_SPENT"  # noqa: S105 - a code, no secret
    LANE_QUOTA = "LANE_QUOTA"
    BUYER_LIMIT = "BUYER_LIMIT"
    SOLD_OUT = "SOLD_OUT"
    HELD_BY_OTHERS = "HELD_BY_OTHERS"
    TOO_FEW_LEFT = "TOO_FEW_LEFT"
    SESSION_CANCELLED = "SESSION_CANCELLED"
    NOT_PAYABLE = "NOT_PAYABLE"
    NOT_CANCELLABLE = "NOT_CANCELLABLE"
    REFUND_UNDER_WAY = "REFUND_UNDER_WAY"
    NOT_REFUNDABLE = "NOT_REFUNDABLE"
    REFUND_TOO_LATE = "REFUND_TOO_LATE"
    REFUND_TOO_MANY = "REFUND_TOO_MANY"
    REFUND_TOO_MUCH = "REFUND_TOO_MUCH"
    NOTHING_TO_REFUND = "NOTHING_TO_REFUND"
    REFUND_NOT_FAILED = "REFUND_NOT_FAILED"
    CARD_NOT_TAKEN = "CARD_NOT_TAKEN"
    NO_FAPIAO = "NO_FAPIAO"
    FAPIAO_EXISTS = "FAPIAO_EXISTS"
    FAPIAO_NOT_FAILED = "FAPIAO_NOT_FAILED"
    NOT_OFFERED = "NOT_OFFERED"
    PHONE_REFUSED = "PHONE_REFUSED"
    PAGE_UNKNOWN = "PAGE_UNKNOWN"
    NOT_CORRECTABLE = "NOT_CORRECTABLE"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    ITEMS_INVALID = "ITEMS_INVALID"
    QUANTITY_INVALID = "QUANTITY_INVALID"
    UNKNOWN_SKU = "UNKNOWN_SKU"
    ORDER_LIMIT = "ORDER_LIMIT"
    UNKNOWN_STATE = "UNKNOWN_STATE"
    REASON_INVALID = "REASON_INVALID"
    KINDS_INVALID = "KINDS_INVALID"
    SCENE_TOO_LONG = "SCENE_TOO_LONG"
    PACE_INVALID = "PACE_INVALID"
    UNKNOWN_LANE = "UNKNOWN_LANE"
    TOO_OFTEN = "TOO_OFTEN"
    QUOTA_SPENT = "QUOTA_SPENT"
    FENCED = "FENCED"
    OVERLOADED = "OVERLOADED"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class Problem:
    """Status and sentences of one code. `retry_after_ms` is there where waiting helps."""

    status: int
    english: str
    chinese: str
    retry_after_ms: int | None = None


PROBLEMS: dict[Code, Problem] = {
    Code.REQUEST_INVALID: Problem(400, "This is not an HTTP request that can be taken.", "请求无法识别。"),
    Code.BODY_INVALID: Problem(400, "The request body is not the JSON this address expects.", "请求内容格式不正确。"),
    Code.KEY_INVALID: Problem(
        400, "Send an Idempotency-Key of 8 to 64 visible ASCII characters.", "请提供 8 到 64 个字符的 Idempotency-Key。"
    ),
    Code.LOGIN_REQUIRED: Problem(401, "Log in first; the login is missing or has expired.", "请先登录，登录已失效。"),
    Code.LOGIN_REFUSED: Problem(401, "WeChat did not accept this login code; get a new one.", "登录凭证无效，请重试。"),
    Code.PLACE_INVALID: Problem(403, "A place of your own in this sale's line is needed.", "需要您本人的排队凭证。"),
    Code.PASS_INVALID: Problem(403, "A valid pass of your own for this sale is needed.", "购买资格无效或已过期。"),
    Code.NOT_A_MEMBER: Problem(403, "This lane is for its members only.", "该通道仅限会员。"),
    Code.CODE_NEEDED: Problem(403, "Show a presale code to join this lane.", "请输入优先购码。"),
    Code.CODE_INVALID: Problem(403, "This is no presale code of this lane.", "优先购码无效。"),
    Code.CODE_USED: Problem(403, "Somebody else has used this presale code.", "优先购码已被使用。"),
    Code.PROOF_NEEDED: Problem(403, "Solve the sale's challenge first, then join again.", "请先完成安全验证。"),
    Code.PROOF_INVALID: Problem(
        403, "This proof does not solve your challenge; get a new one.", "安全验证无效或已过期，请重试。"
    ),
    Code.UNKNOWN_ROUTE: Problem(404, "There is nothing at this address.", "地址不存在。"),
    Code.UNKNOWN_SALE: Problem(404, "There is no such sale.", "没有这场销售。"),
    Code.UNKNOWN_ORDER: Problem(404, "You have no such order.", "没有这个订单。"),
    Code.UNKNOWN_SESSION: Problem(404, "There is no such session.", "没有这个场次。"),
    Code.UNKNOWN_REFUND: Problem(404, "There is no such refund.", "没有这笔退款。"),
    Code.UNKNOWN_FAPIAO: Problem(404, "There is no such e-fapiao.", "没有这张电子发票。"),
    Code.UNKNOWN_PHONE: Problem(404, "You have given no phone number.", "您尚未提供手机号。"),
    Code.UNKNOWN_ENTRIES: Problem(404, "The draw has no such lane or chunk of entries.", "抽签中没有这部分名单。"),
    Code.METHOD_NOT_ALLOWED: Problem(405, "This address does not take that method.", "请求方法不支持。"),
    Code.REQUEST_TIMEOUT: Problem(408, "The request arrived too slowly.", "请求超时。"),
    Code.KEY_REUSED: Problem(409, "This Idempotency-Key was used for another request.", "请求编号已用于其他请求。"),
    Code.PAUSED: Problem(409, "The sale is paused; your place is kept.", "销售暂停中，您的排队位置已保留。", 3000),
    Code.NOT_OPEN: Problem(409, "The sale has not opened yet.", "尚未开售。", RETRY_SOON_MS),
    Code.ENDED: Problem(409, "The sale has ended.", "销售已结束。"),
    Code.NOT_YOUR_TURN: Problem(409, "It is not your turn yet.", "还没轮到您，请稍候。", RETRY_SOON_MS),
    Code.NO_ROOM: Problem(
        409, "Your turn has come; a moment until somebody makes room.", "已轮到您，请稍候片刻。", RETRY_SOON_MS
    ),
    Code.DRAWING: Problem(409, "The draw is being made; join again in a moment.", "正在抽签，请稍候。", RETRY_SOON_MS),
    Code.PLACE_VOID: Problem(409, "You have another, better place; join again to get it.", "您已有更靠前的排队位置。"),
    Code.PASS_SPENT: Problem(
        409, "This pass was used or has run out; claim again.", "购买资格已使用或已过期，请重新获取。"
    ),
    Code.LANE_QUOTA: Problem(409, "The units for your lane are gone for now.", "您所在队列的名额暂时已满。", 2000),
    Code.NOT_DRAWN: Problem(
        409, "The draw is not made yet; its lobby has to close first.", "尚未抽签，请在集合结束后再试。", RETRY_SOON_MS
    ),
    Code.NOT_IN_DRAW: Problem(
        409, "This place was got after the draw and stands behind everybody in it.", "该位置在抽签后取得，不参与抽签。"
    ),
    Code.BUYER_LIMIT: Problem(409, "This would be more units than one buyer may have.", "超出每人限购数量。"),
    Code.SOLD_OUT: Problem(409, "Sold out.", "已售罄。"),
    Code.HELD_BY_OTHERS: Problem(
        409,
        "All remaining units are held by people ahead of you; some may return.",
        "余票已被他人锁定，可能释放。",
        2000,
    ),
    Code.TOO_FEW_LEFT: Problem(409, "Fewer units are left than you asked for.", "余票不足，请减少数量。"),
    Code.SESSION_CANCELLED: Problem(
        409, "This session is cancelled; its tickets are sold no more.", "该场次已取消，停止售票。"
    ),
    Code.NOT_PAYABLE: Problem(409, "This order cannot be paid any more.", "订单已无法支付。"),
    Code.NOT_CANCELLABLE: Problem(409, "This order cannot be cancelled any more.", "订单已无法取消。"),
    Code.REFUND_UNDER_WAY: Problem(
        409, "A refund of this order is under way; wait until it is done.", "该订单有退款正在处理，请稍后再试。"
    ),
    Code.NOT_REFUNDABLE: Problem(409, "This order cannot be refunded now.", "该订单目前无法退款。"),
    Code.REFUND_TOO_LATE: Problem(409, "The payment is too old to be refunded.", "支付时间已超过可退款期限。"),
    Code.REFUND_TOO_MANY: Problem(409, "This order was refunded too often already.", "该订单退款次数已达上限。"),
    Code.REFUND_TOO_MUCH: Problem(409, "This is more than is left of the order.", "超出该订单可退的数量或金额。"),
    Code.NOTHING_TO_REFUND: Problem(
        409, "Nothing is given back for these tickets now.", "按退票规则，目前无可退金额。"
    ),
    Code.REFUND_NOT_FAILED: Problem(
        409, "Only a refund that failed can take this way.", "该退款并未失败，无需此操作。"
    ),
    Code.CARD_NOT_TAKEN: Problem(409, "WeChat Pay refused this bank card.", "微信支付未接受该银行卡。"),
    Code.NO_FAPIAO: Problem(409, "No e-fapiao can be issued for this order now.", "该订单目前无法开具电子发票。"),
    Code.FAPIAO_EXISTS: Problem(
        409, "This order's e-fapiao is on its way or issued; read its state.", "该订单的电子发票已申请，请查看状态。"
    ),
    Code.FAPIAO_NOT_FAILED: Problem(
        409, "Only a failed e-fapiao whose title is still there can go on.", "只有失败且抬头仍在的电子发票可以重试。"
    ),
    Code.NOT_OFFERED: Problem(409, "This shop does not offer that.", "该功能未开通。"),
    Code.PHONE_REFUSED: Problem(
        409, "WeChat did not accept this phone code; tap the button again.", "手机号凭证无效，请重新授权。"
    ),
    Code.PAGE_UNKNOWN: Problem(
        409, "WeChat does not know the sale page; publish it, or correct miniprogram.sale_page.", "销售页面尚未发布。"
    ),
    Code.NOT_CORRECTABLE: Problem(
        409, "WeChat was not told of this delivery yet, or it was corrected before.", "发货信息尚未上传或已更正过。"
    ),
    Code.BODY_TOO_LARGE: Problem(413, "The request body is too large.", "请求内容过大。"),
    Code.ITEMS_INVALID: Problem(422, "Name 1 to 8 different SKUs, each once.", "请选择 1 到 8 种票档，每种一次。"),
    Code.QUANTITY_INVALID: Problem(422, "A quantity is a whole number of at least 1.", "数量必须是不小于 1 的整数。"),
    Code.UNKNOWN_SKU: Problem(422, "This sale does not offer that SKU.", "本场销售没有该票档。"),
    Code.ORDER_LIMIT: Problem(422, "This is more than one order may have of that SKU.", "超出单笔限购数量。"),
    Code.UNKNOWN_STATE: Problem(422, "There is no such state.", "没有这种状态。"),
    Code.REASON_INVALID: Problem(
        422, "A reason is 1 to 80 characters in one line, without emoji.", "原因须为 1 到 80 个字符，不含换行和表情。"
    ),
    Code.KINDS_INVALID: Problem(
        422, "Name kinds that this shop sends, each once, and WeChat's result for each.", "订阅消息类型或结果无效。"
    ),
    Code.SCENE_TOO_LONG: Problem(
        422, "The sale's id is too long for a QR code; WeChat takes 32 characters.", "销售编号过长，无法生成小程序码。"
    ),
    Code.PACE_INVALID: Problem(
        422,
        "A line needs a rate or a concurrency, each 1 to 1,000,000 people.",
        "请设置 1 到 1,000,000 的速率或并发数。",
    ),
    Code.UNKNOWN_LANE: Problem(422, "This sale's line has no such lane.", "没有这个通道。"),
    Code.TOO_OFTEN: Problem(429, "You ask too often; wait a moment.", "操作过于频繁，请稍候。", RETRY_SOON_MS),
    Code.QUOTA_SPENT: Problem(
        429, "WeChat makes no more of these now; try later.", "微信额度已用完，请稍后再试。", 60_000
    ),
    Code.FENCED: Problem(503, "The sale is being restored; nothing is lost.", "销售恢复中。", RETRY_SOON_MS),
    Code.OVERLOADED: Problem(503, "Too many requests at this instant.", "请求过多，请稍后再试。", RETRY_SOON_MS),
    Code.UNAVAILABLE: Problem(503, "Not available right now; send the same again.", "暂不可用，请稍后重试。", 2000),
    Code.INTERNAL: Problem(500, "Something went wrong on our side.", "系统错误。"),
}


def problem_body(code: Code, *, chinese: bool, retry_after_ms: int | None = None) -> bytes:
    """The problem document (RFC 9457) as bytes."""
    problem = PROBLEMS[code]
    content: dict[str, Any] = {
        "type": f"urn:floodgate:problem:{code.lower().replace('_', '-')}",
        "title": problem.chinese if chinese else problem.english,
        "status": problem.status,
        "code": code,
    }
    wait_ms = problem.retry_after_ms if retry_after_ms is None else retry_after_ms
    if wait_ms is not None:
        content["retry_after_ms"] = wait_ms
    return orjson.dumps(content)


BODIES: dict[tuple[Code, bool], bytes] = {
    (code, chinese): problem_body(code, chinese=chinese) for code in Code for chinese in (False, True)
}
