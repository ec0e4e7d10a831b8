"""The merchant's settings for fapiao: where callbacks go, the card template, tax codes, the seller."""

from engine.simulator.fapiao import forms as fapiao_forms
from engine.simulator.fapiao.book import CONFIG, TEMPLATE, Book, json, whole
from engine.simulator.pay import forms
from engine.simulator.pay.refusals import APPID_MISMATCH, Refusal, parameter
from engine.simulator.processes.authorization import Merchant
from engine.simulator.processes.calls import Call, Outcome


class Settings:
    def __init__(self, book: Book) -> None:
        self._book = book

    def configure(self, merchant: Merchant, call: Call) -> Outcome:
        """PATCH merchant/development-config: what is named changes, the rest stays."""
        asked = self._book.read(call, fapiao_forms.CONFIG)
        if isinstance(asked, Refusal):
            return asked
        if "callback_url" in asked:
            found = forms.notify_fault(asked["callback_url"], http_anywhere=self._book.http_anywhere)
            if found is not None:
                return found
        config = dict(self._book.config(merchant.mchid)) | asked
        self._book.keep(CONFIG, merchant.mchid, config)
        return json(config)

    def configuration(self, merchant: Merchant, _call: Call) -> Outcome:
        """GET merchant/development-config."""
        return self._book.closed() or json(self._book.config(merchant.mchid))

    def card_template(self, merchant: Merchant, call: Call) -> Outcome:
        """POST card-template: from now on issued fapiao go into the buyer's card holder."""
        asked = self._book.read(call, fapiao_forms.CARD_TEMPLATE)
        if isinstance(asked, Refusal):
            return asked
        if asked["card_appid"] not in merchant.appids:
            return APPID_MISMATCH
        card = {"card_appid": asked["card_appid"], "card_id": f"p{self._book.entropy(16).hex()[:27]}"}
        self._book.keep(TEMPLATE, merchant.mchid, card)
        return json(card)

    def tax_codes(self, _merchant: Merchant, call: Call) -> Outcome:
        """GET merchant/tax-codes?offset=&limit="""
        closed = self._book.closed()
        if closed is not None:
            return closed
        offset, limit = (whole(call.query.get(name, "")) for name in ("offset", "limit"))
        if offset is None:
            return parameter("offset", call.query.get("offset", ""), "must be a number", location="query")
        if limit is None or not 1 <= limit <= fapiao_forms.TAX_LIMIT_MAX:
            return parameter("limit", call.query.get("limit", ""), "must be 1 to 20", location="query")
        codes = fapiao_forms.TAX_CODES
        shown = codes[offset : offset + limit]
        return json({"data": shown, "offset": offset, "limit": limit, "total_count": len(codes)})

    def base_information(self, _merchant: Merchant, _call: Call) -> Outcome:
        """GET merchant/base-information."""
        told = {"seller_information": fapiao_forms.SELLER, "extra_information": fapiao_forms.EXTRA}
        return self._book.closed() or json(told)
