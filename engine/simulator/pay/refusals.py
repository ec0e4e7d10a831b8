"""Every refusal the simulator gives, in one place, as values.

A refusal is what WeChat answers when it understood a request and says no: a status, a stable code, a
Chinese message, sometimes a detail, and the number that ends the Request-ID. Nothing here is raised; an
exception in the simulator is always a bug. Messages follow those seen live or in WeChat's documents;
merchants must never branch on them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True)
class Refusal:
    """`number` is the suffix of the Request-ID header; `detail` goes with parameter and signature errors."""

    status: int
    code: str
    message: str
    number: int
    detail: Mapping[str, object] | None = None

    def body(self) -> bytes:
        """The JSON body exactly as it is sent."""
        document: dict[str, object] = {"code": self.code, "message": self.message}
        if self.detail is not None:
            document["detail"] = self.detail
        return orjson.dumps(document)


AGENT_MISSING = Refusal(400, "INVALID_REQUEST", "Http头缺少Accept或User-Agent", 268435461)
APPID_MISMATCH = Refusal(400, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配", 268445527)
ORDER_NOT_EXIST = Refusal(404, "ORDER_NOT_EXIST", "订单不存在", 268512771)
ORDER_CLOSED = Refusal(400, "ORDER_CLOSED", "该订单已失效", 268447914)
EXTRA_FIELD = Refusal(400, "PARAM_ERROR", "参数中含有非法的额外参数", 270924358)
REFUND_ORDER_UNKNOWN = Refusal(404, "RESOURCE_NOT_EXISTS", "订单不存在", 268512771)
REFUND_UNKNOWN = Refusal(404, "RESOURCE_NOT_EXISTS", "退款单不存在", 268512771)
REFUND_TOTAL_DIFFERS = Refusal(400, "INVALID_REQUEST", "订单金额或退款金额与之前请求不一致，请核实后再试", 268435461)
REFUND_TOO_MUCH = Refusal(400, "INVALID_REQUEST", "申请退款金额大于订单可退金额", 268435464)
REFUND_CHANGED = Refusal(400, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致", 268498688)
REFUND_NOT_ABNORMAL = Refusal(400, "INVALID_REQUEST", "退款单状态不是退款异常，不能发起异常退款", 268435461)
REFUND_TOO_MANY = Refusal(403, "RULE_LIMIT", "同一笔订单部分退款次数已达上限50次", 268448010)
REFUND_TOO_SOON = Refusal(429, "FREQUENCY_LIMITED", "同一笔订单的多次退款需间隔1分钟", 268447840)
REFUND_TOO_LATE = Refusal(400, "INVALID_REQUEST", "订单已超过可退款的最大期限", 268435461)
SERIAL_MISSING = Refusal(400, "PARAM_ERROR", "请求中含有敏感信息，Http头缺少Wechatpay-Serial", 268435461)
FAPIAO_CLOSED = Refusal(403, "NO_AUTH", "商户未完成服务商电子发票的开通设置", 268435461)
FAPIAO_UNKNOWN = Refusal(404, "RESOURCE_NOT_EXISTS", "发票不存在", 268512771)
FAPIAO_NO_ORDER = Refusal(404, "RESOURCE_NOT_EXISTS", "微信支付订单不存在", 268512771)
FAPIAO_NO_TITLE = Refusal(404, "RESOURCE_NOT_EXISTS", "用户未填写抬头", 268512771)
FAPIAO_CHANGED = Refusal(400, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致", 268498688)
FAPIAO_RETRIED_OUT = Refusal(400, "INVALID_REQUEST", "该发票申请单重试次数已达上限", 268435461)
FAPIAO_TOO_MUCH = Refusal(400, "INVALID_REQUEST", "发票总价税合计超过可开票金额", 268435464)
FAPIAO_NOT_ISSUED = Refusal(400, "INVALID_REQUEST", "发票未开具，不能冲红", 268435461)
FAPIAO_MISMATCH = Refusal(400, "INVALID_REQUEST", "发票代码或发票号码不正确", 268435461)
BILL_EMPTY = Refusal(400, "NO_STATEMENT_EXIST", "账单文件不存在", 268435461)
BILL_CREATING = Refusal(400, "STATEMENT_CREATING", "账单生成中，请稍后再试", 268435461)
BILL_DATE = Refusal(400, "INVALID_REQUEST", "账单日期不在可下载范围内", 268435461)
BILL_TOKEN_EXPIRED = Refusal(400, "INVALID_REQUEST", "下载token无效或已过期", 268435461)
BILL_FOREIGN = Refusal(403, "NO_AUTH", "无权下载该账单", 268435461)
REFUND_NOT_ENOUGH = Refusal(403, "NOT_ENOUGH", "基本账户余额不足，请充值后重新发起", 268435461)
CERTIFICATES_NONE = Refusal(
    404,
    "RESOURCE_NOT_EXISTS",
    "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。可查看指引https://pay.weixin.qq.com/doc/v3/merchant/4012153196",
    268435461,
)
SERIAL_UNKNOWN = Refusal(400, "PARAM_ERROR", "平台证书序列号Wechatpay-Serial错误", 268435461)
FREQUENCY_LIMITED = Refusal(429, "FREQUENCY_LIMITED", "请求频率超过限制", 268447840)
SYSTEM_ERROR = Refusal(500, "SYSTEM_ERROR", "系统繁忙，请稍后重试", 268435456)

# Public sources name three codes for a changed re-entry, two for 429 and three for closing a paid order.
REENTRY_CHANGED = {
    "INVALID_REQUEST": Refusal(400, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致", 268498688),
    "PARAM_ERROR": Refusal(400, "PARAM_ERROR", "订单重入参数校验失败", 268498688),
    "OUT_TRADE_NO_USED": Refusal(403, "OUT_TRADE_NO_USED", "201 商户订单号重复", 268498688),
}
LIMITED = {
    "FREQUENCY_LIMITED": FREQUENCY_LIMITED,
    "RATELIMIT_EXCEEDED": Refusal(429, "RATELIMIT_EXCEEDED", "请求频率超过限制", 268447840),
}
ORDER_PAID = {
    "ORDERPAID": Refusal(400, "ORDERPAID", "该订单已支付", 268449538),
    "ORDER_PAID": Refusal(400, "ORDER_PAID", "订单已支付", 268449538),
    "TRADE_ERROR": Refusal(403, "TRADE_ERROR", "订单已支付", 268449538),
}


def parameter(field: str, value: object, issue: str, *, location: str = "body") -> Refusal:
    """PARAM_ERROR for one field; `field` is a JSON pointer, `location` one of body, query, uri_template."""
    shown = value if isinstance(value, str) else orjson.dumps(value).decode()
    return Refusal(
        400,
        "PARAM_ERROR",
        "参数错误",
        268435461,
        {"field": field, "value": shown[:256], "issue": issue, "location": location},
    )


def sign_error(message: str, detail: Mapping[str, object] | None = None) -> Refusal:
    """401 SIGN_ERROR with one of the messages WeChat uses."""
    return Refusal(401, "SIGN_ERROR", message, 268443699, detail)
