"""``python -m transfermap``: the command line."""

from transfermap.cli.app import main

if __name__ == "__main__":
    main()
