"""What the keywords of a subscribe message may say: the table of WeChat's formats, by the kind of a keyword. Pure.

A keyword is named by its kind and a number (`thing1`, `amount3`); a value that does not fit fails the whole
message with 47003 and the keyword's name.
"""

import re

_MOMENT = r"(\d{4}年\d{1,2}月\d{1,2}日|\d{4}-\d{1,2}-\d{1,2}|\d{4}/\d{1,2}/\d{1,2})"
_CLOCK = r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?"
_TIME = rf"({_MOMENT} ?)?{_CLOCK}"
_DATE = rf"{_MOMENT}( ?{_CLOCK})?"
# Kind: what the value must match as a whole. Lengths count characters.
FORMATS: dict[str, re.Pattern[str]] = {
    "thing": re.compile(r".{1,20}", re.DOTALL),
    "number": re.compile(r"(?=.{1,32}$)[-+]?\d+(\.\d+)?"),
    "letter": re.compile(r"[A-Za-z]{1,32}"),
    "symbol": re.compile(r"[^\w\s]{1,5}"),
    "character_string": re.compile(r"[!-~ ]{1,32}"),
    "time": re.compile(rf"{_TIME}(~{_TIME})?"),
    "date": re.compile(rf"{_DATE}(~{_DATE})?"),
    "amount": re.compile(r"[¥￥$€£]?(?=[\d.]{1,11}元?$)\d{1,10}(\.\d{1,2})?元?"),
    "phone_number": re.compile(r"[-+\d]{1,17}"),
    "car_number": re.compile(r"\w{1,8}"),
    "name": re.compile(r"[\u4e00-\u9fff·]{1,10}|[A-Za-z .,'·-]{1,20}"),
    "phrase": re.compile(r"[\u4e00-\u9fff]{1,5}"),
    "enum": re.compile(r".{1,20}"),
}
_KEYWORD = re.compile(rf"({'|'.join(FORMATS)})\d{{1,3}}")


def is_keyword(name: str) -> bool:
    """Whether a template may have a keyword of this name."""
    return _KEYWORD.fullmatch(name) is not None


def fits(name: str, value: str) -> bool:
    """Whether the value may stand under this keyword (one that `is_keyword`)."""
    return FORMATS[name.rstrip("0123456789")].fullmatch(value) is not None
