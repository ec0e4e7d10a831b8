"""What a person does about a difference, in Chinese and English. Pure."""

from collections.abc import Mapping
from enum import StrEnum

from engine.payments.bills.records import Difference, Kind, Subject


class Language(StrEnum):
    ZH = "zh"
    EN = "en"


UNKNOWN_ORDER = {
    Language.ZH: "本系统没有这个订单。若属于共用此商户号的另一套系统，请勿处理；否则运行 --refund-strays 原路退款。",
    Language.EN: "There is no such order here. If another installation shares this account, leave it to that one; else "
    "give the money back with --refund-strays.",
}
DONE = {
    Language.ZH: "已处理，无需操作。",
    Language.EN: "Repaired; nothing is left to do.",
}
ADVICE: Mapping[tuple[Subject, Kind], Mapping[Language, str]] = {
    (Subject.PAYMENT, Kind.MISSING_HERE): {
        Language.ZH: "微信已收款而本系统没有记录。运行 --repair：将向微信查询，订单转为已支付，或自动退款。",
        Language.EN: "WeChat has the money and the order does not. Run again with --repair: WeChat is asked, and the "
        "order becomes paid or the money goes back.",
    },
    (Subject.PAYMENT, Kind.MISSING_THERE): {
        Language.ZH: "本系统有收款记录，前后三天的账单都没有。请在商户平台按微信订单号查询；查不到时联系技术人员。",
        Language.EN: "The ledger has a payment that no bill around its day has. Look the transaction up in the "
        "merchant platform; if it is not there, call engineering before anything is refunded.",
    },
    (Subject.PAYMENT, Kind.AMOUNT): {
        Language.ZH: "金额不一致。请在商户平台核对该笔交易，以微信为准，差额由技术人员更正。",
        Language.EN: "The sums differ. Look the transaction up in the merchant platform: what it says is what was "
        "paid, and engineering corrects the ledger.",
    },
    (Subject.PAYMENT, Kind.STATE): {
        Language.ZH: "状态不一致。请在商户平台核对该笔交易是否被撤销，订单是否已出票，再决定退款或作废。",
        Language.EN: "The states differ. See in the merchant platform whether the payment was undone, and whether the "
        "order has its tickets; then refund it or take the tickets back.",
    },
    (Subject.PAYMENT, Kind.DUPLICATE): {
        Language.ZH: "同一订单或同一交易出现多次。请在商户平台核对是否重复收款，多收部分请退款。",
        Language.EN: "An order or a transaction stands there more than once. See in the merchant platform whether the "
        "buyer paid twice, and refund what was paid too much.",
    },
    (Subject.REFUND, Kind.MISSING_HERE): {
        Language.ZH: "这笔退款不是本系统发起的，多为在商户平台手工退款。请登记到订单，并确认门票已作废。",
        Language.EN: "This refund was not made here; most likely by hand in the merchant platform. Note it on the "
        "order, and see that its tickets are not used.",
    },
    (Subject.REFUND, Kind.MISSING_THERE): {
        Language.ZH: "本系统已退款，前后三天的账单都没有。请在商户平台按退款单号查询；不要换单号重退。",
        Language.EN: "The ledger has a refund that no bill around its day has. Look it up in the merchant platform by "
        "its number; never send it again under another one.",
    },
    (Subject.REFUND, Kind.AMOUNT): {
        Language.ZH: "退款金额不一致。请在商户平台核对，差额由技术人员更正。",
        Language.EN: "The sums differ. Look the refund up in the merchant platform; engineering corrects the ledger.",
    },
    (Subject.REFUND, Kind.STATE): {
        Language.ZH: "退款状态不一致。系统会继续查询；次日仍不一致时，请在商户平台核对买家是否已收到退款。",
        Language.EN: "The states differ. The engine goes on asking; if they still differ tomorrow, see in the merchant "
        "platform whether the buyer has the money.",
    },
    (Subject.REFUND, Kind.DUPLICATE): {
        Language.ZH: "同一退款出现多次。请在商户平台核对是否重复退款。",
        Language.EN: "A refund stands there more than once. See in the merchant platform whether it was made twice.",
    },
    (Subject.FUNDS, Kind.MISSING_HERE): {
        Language.ZH: "资金账单有这笔流水，交易账单没有。请按业务单号在商户平台核对。",
        Language.EN: "The account moved, and the trade bill does not say why. Look the number up in the merchant "
        "platform.",
    },
    (Subject.FUNDS, Kind.MISSING_THERE): {
        Language.ZH: "交易账单有这一笔，资金没有入账或出账。请在商户平台核对结算或冻结情况。",
        Language.EN: "The trade bill has it, and the account did not move. See in the merchant platform whether the "
        "money is frozen or settled elsewhere.",
    },
    (Subject.FUNDS, Kind.AMOUNT): {
        Language.ZH: "资金变动与交易金额减手续费不一致。请核对手续费与费率。",
        Language.EN: "The account moved by another sum than payment less fee. Check the fee and its rate.",
    },
}


def advice(difference: Difference, language: Language) -> str:
    """One or two sentences."""
    if difference.repaired:
        return DONE[language]
    unknown = difference.subject is Subject.PAYMENT and not difference.order_known
    if difference.kind is Kind.MISSING_HERE and unknown:
        return UNKNOWN_ORDER[language]
    return ADVICE[difference.subject, difference.kind][language]
