"""The page: what is collected, in a browser. Needs aiohttp to serve, and argon2 where there is a password.

``server`` answers browsers; ``page/`` holds the sources of what they show, ``make web`` builds it. docs/web.md.
"""
