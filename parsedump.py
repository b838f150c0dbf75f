"""The name that users of the ancestor know: parsedump."""

from rct_tools.cli.parse import main

if __name__ == "__main__":  # processes for other files import this one
    main()
