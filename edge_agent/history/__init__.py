"""Counts and alerts of the past days on the device's own disk, bounded, for the page; a gap in knowledge is a gap."""
