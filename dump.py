"""The name that users of the ancestor know: rct-dump."""

from rct_tools.cli.dump import main

if __name__ == "__main__":
    main()
