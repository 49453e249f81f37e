"""``python -m tempgen``: the command line, for launchers that start modules (torchrun, accelerate)."""

from tempgen.cli import main

if __name__ == "__main__":
    main()
