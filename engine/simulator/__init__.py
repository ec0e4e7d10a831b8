"""WeChat Pay API v3 and the mini-program login, faithfully, on this machine.

WeChat offers no sandbox for API v3, so a merchant can try nothing without real money. This package is a
process of its own that checks every signature and field a merchant sends, signs what it answers, keeps the
truth about money in a ledger that survives `kill -9`, and sends real callbacks with real bad luck. It
imports no other room of this project and is useful alone: `python -m engine.simulator --port 9300 --home
DIR`.

It refuses to be lenient: what WeChat would refuse is refused here with the same status, code and headers.
Where public sources disagree about WeChat, the choice is a named knob in `luck`.

The rules are pure and grouped by what they are about: `pay`, `bills`, `fapiao`, `weixin`, `luck`. `office` keeps the
truth and decides by them, in one process; `processes` says who else runs and speaks; `keys` sign.
"""
