"""Reconciliation: WeChat's bills of a day against our payments and refunds, and what to do about each difference.

`format` and `matching` are pure; `files` reads what was fetched; `store` asks our ledger; `reconciler` puts them
together for one merchant and day; `daily` does it every day. Nothing here moves money: a repair is a question to
WeChat whose answer is settled like any other report.
"""
