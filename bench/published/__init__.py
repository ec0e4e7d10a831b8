"""The numbers that README and docs tell, from the reports that are kept in `docs/reports` and nowhere else.

    python -m bench.published            writes every numbers block again
    python -m bench.published --keep     takes the newest reports of `.run` into `docs/reports` first

A block stands between `<!-- numbers:NAME -->` and `<!-- /numbers -->`; a test compares each with its report, so that
a figure there is always one that was measured. What a figure means is said beside the blocks, by hand.

pages      which pages, and how their blocks are written
of_bench   what the bench says
of_runs    what a demo, a storm and the lab's runs say
numbers    how a figure is written
keeping    takes reports out of `.run`
"""
