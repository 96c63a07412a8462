"""The outbox: events wait on the device's disk until they have arrived. Start at outbox.py."""
