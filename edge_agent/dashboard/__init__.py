"""The device's own web page, and the HTTP API below it: `server` runs it, `app` says what it has."""
