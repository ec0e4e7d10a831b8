"""`python -m engine.cli`: the command without its entry point."""

from engine.cli import main

if __name__ == "__main__":
    main()
