"""What a merchant sends about fapiao and what a buyer fills in: the forms, and the merchant's tax table.

A rate is in 1/10,000 (1300 is 13 %), a quantity in 1/100,000,000. Phone and mail cross encrypted.
"""

import re

from engine.simulator.pay.fields import Choice, Field, Flag, Listing, Record, Text, Whole

SCENES = ("WITH_WECHATPAY", "WITHOUT_WECHATPAY")
SOURCES = ("WEB", "MINIPROGRAM")
REASONS = ("ISSUE_ERROR", "SALES_RETURN", "SERVICE_SUSPENTION", "SALES_DISCOUNT")
TAX_LIMIT_MAX = 20
APPLY_ID = re.compile(r"[0-9A-Za-z_\-|*]{1,32}")
_TAX_CODE = re.compile(r"[0-9]{19}")
_MARK = re.compile(r"[A-Z_]+")

# What this merchant may sell, as its tax office knows it.
TAX_CODES = tuple(
    {"tax_code": code, "goods_name": name, "tax_rate": rate, "tax_prefer_mark": "NO_FAVORABLE"}
    for code, name, rate in (
        ("3070301000000000000", "文化服务", 600),
        ("3070302000000000000", "体育服务", 600),
        ("3040802000000000000", "信息技术服务", 600),
        ("1060512000000000000", "文创用品", 1300),
    )
)
SELLER = {
    "name": "演出测试有限公司",
    "taxpayer_id": "91440300TEST000001",
    "address": "深圳市南山区",
    "telephone": "0755-00000000",
    "bank_name": "招商银行南山支行",
    "bank_account": "755900000000000",
}
EXTRA = {"payee": "收款员", "reviewer": "复核员", "drawer": "开票员"}

_ITEM = Record(
    {
        "tax_code": Text(32, 19, _TAX_CODE),
        "goods_category": Text(64),
        "goods_name": Text(128),
        "specification": Text(64),
        "unit": Text(32),
        "quantity": Whole(1),
        "total_amount": Whole(1),
        "tax_rate": Whole(0),
        "tax_prefer_mark": Text(32, 1, _MARK),
        "discount": Flag(),
    },
    ("tax_code", "quantity", "total_amount", "discount"),
)
_FAPIAO = Record(
    {
        "fapiao_id": Text(32, 1, APPLY_ID),
        "total_amount": Whole(1),
        "need_list": Flag(),
        "remark": Text(256),
        "items": Listing(_ITEM),
    },
    ("fapiao_id", "total_amount", "items"),
)
_TITLE: dict[str, Field] = {
    "type": Choice(("INDIVIDUAL", "ORGANIZATION")),
    "name": Text(256),
    "taxpayer_id": Text(32),
    "address": Text(128),
    "telephone": Text(32),
    "bank_name": Text(128),
    "bank_account": Text(32),
}
CONFIG = Record({"callback_url": Text(256), "show_fapiao_cell": Flag(), "support_vat_fapiao": Flag()})
CARD_TEMPLATE = Record(
    {
        "card_appid": Text(32),
        "card_template_information": Record(
            {
                "payee_name": Text(64),
                "logo_url": Text(256),
                "custom_cell": Record(
                    {
                        "words": Text(32),
                        "description": Text(32),
                        "jump_url": Text(256),
                        "miniprogram_user_name": Text(64),
                        "miniprogram_path": Text(256),
                    },
                    ("words", "description"),
                ),
            },
            ("logo_url",),
        ),
    },
    ("card_appid", "card_template_information"),
)
APPLICATION = Record(
    {
        "scene": Choice(SCENES),
        "fapiao_apply_id": Text(32, 1, APPLY_ID),
        "buyer_information": Record({**_TITLE, "phone": Text(1024), "email": Text(1024)}, ("type", "name")),
        "fapiao_information": Listing(_FAPIAO),
    },
    ("scene", "fapiao_apply_id", "buyer_information", "fapiao_information"),
)
REVERSAL = Record(
    {
        "reverse_reason": Choice(REASONS),
        "fapiao_information": Listing(
            Record(
                {"fapiao_id": Text(32), "fapiao_code": Text(32), "fapiao_number": Text(32)},
                ("fapiao_id", "fapiao_code", "fapiao_number"),
            )
        ),
    },
    ("reverse_reason", "fapiao_information"),
)
# What the buyer fills in on the phone.
TITLE = Record({**_TITLE, "phone": Text(17), "email": Text(128)}, ("type", "name"))
