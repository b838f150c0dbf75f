"""The name that users of the ancestor know: rct-reader."""

from rct_tools.cli.reader import main

if __name__ == "__main__":
    main()
