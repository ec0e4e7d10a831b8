"""API v3 as pure rules: orders, refunds, what a merchant may send, what a callback says, how WeChat refuses."""
