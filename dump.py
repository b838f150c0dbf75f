"""The name that users of the ancestor know: rct-dump."""

from rct_tools.cli.dump import main

raise SystemExit(main())
