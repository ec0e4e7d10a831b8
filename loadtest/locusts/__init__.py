"""The crowd as Locust users: the same visits as in the lab's open loop, for people who work with Locust.

By hand, from the project's folder, with `make up` running and a sale applied:

    locust -f loadtest/locusts/locustfile.py               the web UI on port 8089, with a tab of our own
    locust -f ... --class-picker                           choose users and shapes there
    locust -f ... --headless -u 200 -r 20 -t 2m            no UI
    locust -f ... --headless --processes 2 --arrivals open the story's own curve, as an open loop in two processes
    locust -f ... --master / --worker --master-host HOST   over machines; workers need no options of ours

`python -m loadtest.locusts ...` is the same without `-f`. docs/locust.md is for people.

A program that wants a run, an audit and a verdict calls

    python -m loadtest.locusts --headless --only-summary --processes N --arrivals open \\
        --host URL --wechat URL --sale ID --story NAME|--story-file FILE [--scale X] [--pace X] [--seed N] \\
        --record-to FOLDER

(for closed stories without `--arrivals open` and with `--shape story`), with the admin key in FLOODGATE_ADMIN_KEY
if organizers take part, and reads `handing.read(FOLDER)`: the merged record, every worker's testimony for
`crowd.testimony.absorb`, the looks at the line, and how busy each generator process was, second by second. The curve
counts from the sale's opening (`about["curve_s"]`, seconds of the engine's clock); a run that begins after it plays the
whole curve from then on.

Exit codes: 0 played, and nobody saw a promise broken; 1 played, but requests failed, a promise was broken, more than
0.1 % of the arrivals were missed, or nothing was got; 2 not played (target refused, bad input, no sale) or the books of
a worker are missing, so that no verdict is possible. SIGTERM and Ctrl-C hand over the books first.

Modules:
  locustfile              what Locust is given; `__main__` gives it
  listening               hangs everything on Locust's events: the only place that wires
  wishes, preflight       what the person asked for; whether it may be played
  director, collecting    the master: decides a round, gathers its books
  player, rounds          each worker: plays its part; one round in one process
  terms                   what a round is played by, sent from the master to the workers
  users, arrivals         Locust's users; the open loop in one process
  shapes, heights         Locust's shapes; their curves
  handing                 the books of a round, on their way and in a folder
  summary                 how a round was, in a few lines
  board, watching         what is known meanwhile; the sale looked at once a second
  view, tab               what the web UI's tab shows, and the tab (`web/`)
  cost                    what a request costs the generator, on each engine
"""
