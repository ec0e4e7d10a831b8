"""`floodgate loadtest`: one profile played against one Floodgate, watched, audited and judged.

The command:
  command, options     arguments in, exit status out; what they may be
  run                  one run, from the command line to the folder
What it stands on:
  target               whether an address may be loaded at all
  grounds              a stack of its own, that of `make up`, or given addresses
  selling, wechat      the sale of a run; its WeChat, with the faults of the profile
The play:
  playing              one profile played once; searches play several times
  company              a piece of work and what goes on beside it
  process, sending     a process of the open loop; the people it sends out
  pulse, talk          how that process is; what it and the process that judges say to each other
  generators           those processes as the one that judges holds them; `locusting` has Locust in their place
  live                 what is known while it runs
  watching             CPU, memory, stock, line and keys, once a second
  searches/            breakpoint, overload, soak
The verdict, all of it pure:
  slos                 the promises of a profile
  honesty              whether the generator was the limit
  judging              audit, arrivals, and the sentence that says it
  summing              series and figures from the merged record
  assembling           the report
What is seen and kept:
  view, tally          one moment of a run; counts so far
  screen, drawing      the live view and the plain lines; `ending` is the last page of the terminal
  folder, toml         the folder of a run; a profile as TOML
  machine              the machine and the versions under it
"""
