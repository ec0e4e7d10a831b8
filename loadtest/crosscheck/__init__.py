"""The same reads by a generator that we did not write, so that our figures do not stand on our own word alone.

check     both generators in turns, and the rows of the report
shots     what both are told to do, and what each measured
ours      our own wire doing it, in a process of its own
node      autocannon where Node is; `node/` holds its lock file and the script that drives it
agreeing  whether the two tell the same story; pure
"""
