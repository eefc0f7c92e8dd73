"""`python -m sinkrisk`: the command line."""

from sinkrisk.cli import main

if __name__ == "__main__":
    main()
