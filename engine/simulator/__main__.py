"""`python -m engine.simulator`: the simulator without the rest of the house."""

from engine.simulator.cli import main

if __name__ == "__main__":
    main()
