"""Payments: starting, settling, closing, refunding. WeChat Pay says whether money moved; nobody else is believed."""
