"""The name that users of the ancestor know: rct-reader."""

from rct_tools.cli.reader import main

raise SystemExit(main())
