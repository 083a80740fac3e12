"""`python -m kade2kfp`: the command line where no script was installed."""

from kade2kfp.cli import main

if __name__ == "__main__":
    main()
