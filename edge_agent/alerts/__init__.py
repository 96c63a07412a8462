"""Alerts: what a person should see to, told once, within opening hours, and no more often than it helps.

`levels` finds what begins and ends on one shelf, frame by frame; `book` holds what is open over all shelves, `due`
says when it is to be told, and `telling` tells it. They are pure, as are `policy`, `hours`, `bodies` (payloads) and
`records` (JSON). `alerting` keeps the book for the agent, `looks` the pictures before and after; `writer` brings both
to the disk.
"""
