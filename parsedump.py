"""The name that users of the ancestor know: parsedump."""

from rct_tools.cli.parse import main

raise SystemExit(main())
