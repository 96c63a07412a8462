"""Alerts: what a person should see to, told once, by day, and no more often than it helps.

`levels` finds what begins and ends on one shelf, frame by frame; `book` holds what is open over all shelves, and
`keeping` decides what is told and when. They are pure, as are `policy`, `hours` and `records`. `alerting` keeps the
book for the agent, `looks` the pictures before and after; `keeper` writes both.
"""
